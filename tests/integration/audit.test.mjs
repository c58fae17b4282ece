// The audit trail: who did what, a line each, whatever happens to the file.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, renameSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, PING, Raw, bytes, open, post, request } from './harness/http.mjs';
import { EMAIL, Issuer } from './harness/issuer.mjs';
import { Load } from './harness/load.mjs';
import { connectClient, startEverything } from './harness/mcp.mjs';
import { run } from './harness/process.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const call = (name, id = 2, args = {}) => JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });
const initialize = JSON.stringify({
  jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});
const shortHash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16);

class Trail {
  constructor(gate, file = 'audit.jsonl') {
    this.path = join(gate.directory, file);
  }

  get text() {
    return existsSync(this.path) ? readFileSync(this.path, 'utf8') : '';
  }

  // Every line must be whole; `torn` lines are passed over where a test says so.
  lines({ torn = false } = {}) {
    const lines = [];
    for (const line of this.text.split('\n')) {
      if (line === '') continue;
      try {
        lines.push(JSON.parse(line));
      } catch (error) {
        if (!torn) throw new Error(`${error.message}: ${line}`);
      }
    }
    return lines;
  }

  of(...events) {
    return this.lines().filter(({ event }) => events.includes(event));
  }

  async has(what, condition) {
    return waitFor(what, () => this.lines().find(condition));
  }
}

async function setUp(t, { audit = {}, handler, ...options } = {}) {
  const upstream = await Upstream.start(handler);
  t.after(() => upstream.stop());
  const issuer = await Issuer.make('https://issuer.example.com');
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }],
    resources: { 'issuer.yaml': [authConfig('config', issuer)] },
    gate: { audit: { output: 'audit.jsonl', ...audit } },
    ...options,
  });
  const url = gate.url('app');
  return { upstream, issuer, gate, url, trail: new Trail(gate), token: await issuer.token(url) };
}

test('a request has a line that says who did what', async (t) => {
  const { upstream, gate, url, trail, token } = await setUp(t);
  const answer = await post(url, token, { body: call('echo', 'a"b', { secret: 'hunter2' }), headers: { 'user-agent': 'tests/1 "\u00e9"' } });
  assert.equal(answer.status, 200);
  const line = await trail.has('the line', ({ event }) => event === 'request');
  const [start] = trail.of('session_start');
  assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 60_000);
  assert.deepEqual({ ...line, time: 0, pid: 0, worker: 0, line: 0, connection: 0, ms: 0, upstream_ms: 0, first_byte_ms: 0, bytes_in: 0, bytes_out: 0, agent: 0 }, {
    time: 0, event: 'request', worker: 0, pid: 0, line: 0, connection: 0, request: 1, client: '127.0.0.1', session: start.session, app: 'app', config: 'config',
    issuer: 'https://issuer.example.com', subject: 'user-1', user: EMAIL, ...(start.roles ? { roles: start.roles } : {}), http: 'POST', agent: 0,
    endpoint: `127.0.0.1:${upstream.port}`, method: 'tools/call', id: 'a"b', name: 'echo', ...(line.decision ? { decision: 'allowed' } : {}), status: 200,
    ms: 0, upstream_ms: 0, first_byte_ms: 0, bytes_in: 0, bytes_out: 0,
  });
  assert.ok(line.ms >= line.first_byte_ms && line.first_byte_ms >= line.upstream_ms && line.upstream_ms > 0, JSON.stringify(line));
  assert.ok(line.bytes_in > 300 && line.bytes_out > answer.text.length);
  assert.ok(!trail.text.includes('hunter2'));
  await t.test('as its session has', () => {
    assert.match(start.session, /^jwt_[0-9a-f]{64}$/);
    assert.equal(start.user, EMAIL);
    assert.equal(start.alg, 'ES256');
    assert.equal(start.kid, 'key-1');
    assert.equal(start.client, '127.0.0.1');
    assert.match(start.jti, /^[0-9a-f-]{36}$/);
    assert.ok(Date.parse(start.expires) > Date.now());
    assert.ok(start.line < line.line);
  });
  await t.test('and never a token, or a part of one', async () => {
    const before = trail.of('request').length;
    await post(url, token, { headers: { 'user-agent': `Bearer ${token}` } });
    await waitFor('its line', () => trail.of('request').length > before);
    for (const part of [token, ...token.split('.')]) assert.ok(!trail.text.includes(part));
    assert.ok(!trail.text.includes('Bearer') && !gate.log.includes(token));
  });
  await t.test('arguments only where a setting says so', async () => {
    gate.settings.gate.audit.arguments = true;
    gate.writeSettings();
    gate.signal('SIGHUP');
    const said = await waitFor('the settings', async () => {
      await post(url, token, { body: call('long', 3, { text: '\u00e9"'.repeat(9000) }) });
      return trail.of('request').find(({ arguments: given }) => given !== undefined);
    });
    assert.ok(Buffer.byteLength(said.arguments) <= 4096 && said.arguments.startsWith('{"text":"\u00e9\\"'));
    assert.equal(said.cut, true);
    await post(url, token, { body: call('short', 4, { a: 1 }) });
    const short = await trail.has('the short one', ({ name, arguments: given }) => name === 'short' && given);
    assert.equal(short.arguments, '{"a":1}');
    assert.equal(short.cut, undefined);
  });
});

test('a refusal has a line with its reason', async (t) => {
  const { gate, issuer, url, trail, token, upstream } = await setUp(t, { limits: { body_size: '4KiB' } });
  const expect = async (what, condition, answer) => {
    const line = await trail.has(what, ({ event, reason }) => event === 'refused' && condition.test(reason));
    assert.equal(line.status, answer.status, what);
    return line;
  };
  await expect('no token', /bearer token is required/, await post(url));
  const stranger = await Issuer.make('https://stranger.example.com');
  const bad = await stranger.token(url);
  const line = await expect('a stranger\'s token', /issuer|does not open/, await post(url, bad));
  assert.equal(line.app, 'app');
  assert.equal(line.user, undefined);
  await expect('a foreign origin', /origin is not allowed/, await post(url, token, { headers: { origin: 'https://evil.example.com' } }));
  await expect('a foreign host', /host is not served/, await post(url, token, { headers: { host: 'evil.example.com' } }));
  await expect('too large a body', /too large/, await post(url, token, { body: call('x'.repeat(5000)) }));
  assert.equal((await post(url, token, { body: '{"jsonrpc":"2.0","id":1,' })).status, 400);
  const malformed = await trail.has('malformed JSON', ({ event, status }) => event === 'refused' && status === 400);
  assert.deepEqual([malformed.user, malformed.http, malformed.method], [EMAIL, 'POST', undefined]);
  const raw = await Raw.open(gate.port);
  await raw.write('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
  assert.equal((await raw.response()).status, 400);
  const head = await trail.has('a malformed head', ({ event, http }) => event === 'refused' && http === undefined);
  assert.equal(head.status, 400);
  assert.match(head.reason, /may not be repeated/);
  assert.deepEqual(upstream.requests, []);
  assert.equal(trail.of('request').length, 0);
  for (const secret of [bad, ...bad.split('.')]) assert.ok(!trail.text.includes(secret));
  await t.test('strangers do not fill the disk, nor the log', async () => {
    const before = trail.of('refused').length;
    gate.settings.gate.audit.refusals = 5;
    gate.writeSettings();
    gate.signal('SIGHUP');
    await waitFor('the settings', () => /reloaded.*certificates/.test(gate.log));
    const flood = Load.posting(t, 8, url, [bad]);
    await waitFor('a flood', () => flood.failures.length > 2000, { deadline: 60_000 });
    await flood.stop();
    const withheld = await trail.has('the rest, counted', ({ event }) => event === 'refusals_withheld');
    assert.ok(withheld.count > 0);
    const seconds = (flood.failures.at(-1).ended - flood.failures[0].started) / 1000;
    assert.ok(trail.of('refused').length - before < 2 * 5 * (seconds + 3), `${trail.of('refused').length} lines in ${seconds} s`);
    await waitFor('the log to say so', () => /refusals_withheld/.test(gate.log));
    assert.ok(gate.log.match(/token_refused/g).length < 2 * 20 * (seconds + 3));
  });
});

test('a denied call has the decision and the rule', async (t) => {
  const issuer = await Issuer.make('https://issuer.example.com');
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const labels = { 'gatehouse/app-sub-kind': 'mcp' };
  const role = {
    kind: 'role', version: 'v7', metadata: { name: 'few' },
    spec: { allow: { app_labels: labels, mcp: { tools: ['echo', 'drop_*'] } }, deny: { app_labels: labels, mcp: { tools: ['drop_*'] } } },
  };
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }],
    resources: {
      'issuer.yaml': [authConfig('config', issuer, { jwt: { claims_to_roles: [{ claim: 'groups', value: 'dev', roles: ['few'] }] } })],
      'role.yaml': [role],
    },
    gate: { audit: { output: 'audit.jsonl' } },
  });
  const url = gate.url('app');
  const trail = new Trail(gate);
  const token = await issuer.token(url, { groups: ['dev'] });
  const decided = async (name) => {
    await post(url, token, { body: call(name) });
    const line = await trail.has(name, ({ name: named }) => named === name);
    return [line.event, line.decision, line.role, line.rule?.replace(/^.*\//, '')];
  };
  assert.deepEqual((await decided('echo')).slice(0, 3), ['request', 'allowed', 'few']);
  const [event, decision, by, rule] = await decided('drop_all');
  assert.deepEqual([event, decision, by], ['refused', 'denied', 'few']);
  assert.match(rule, /^role\.yaml:\d+:\d+$/);
  assert.deepEqual((await decided('other')).slice(0, 2), ['refused', 'denied']);
  assert.deepEqual(trail.lines().find(({ event: kind }) => kind === 'session_start').roles, ['few']);
});

test('a foreign MCP session: 404 and lines; the owner notices nothing', async (t) => {
  const session = randomUUID();
  const { url, issuer, trail, token } = await setUp(t, {
    handler: async (incoming, response, seen) => {
      seen.body = await body(incoming);
      if (incoming.method === 'DELETE') return response.writeHead(204).end();
      response.writeHead(200, { 'content-type': 'application/json', ...(seen.body.includes('"initialize"') ? { 'mcp-session-id': session } : {}) });
      return response.end('{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}');
    },
  });
  const begun = await post(url, token, { body: initialize });
  assert.equal(begun.headers['mcp-session-id'], session);
  const start = await trail.has('its start', ({ event }) => event === 'mcp_session_start');
  assert.equal(start.mcp_session, shortHash(session));
  assert.equal(start.user, EMAIL);
  assert.equal(start.protocol, '2025-06-18'); // the server's word, not the client's wish
  const mallory = await issuer.token(url, { sub: 'mallory', email: 'mallory@example.com' });
  assert.equal((await post(url, mallory, { headers: { 'mcp-session-id': session } })).status, 404);
  const foreign = await trail.has('the theft', ({ event }) => event === 'mcp_session_foreign');
  assert.equal(foreign.user, 'mallory@example.com');
  assert.equal(foreign.owner, EMAIL);
  assert.equal(foreign.mcp_session, shortHash(session));
  const refused = await trail.has('the refusal', ({ event }) => event === 'refused');
  assert.equal(refused.status, 404);
  assert.equal(refused.user, 'mallory@example.com');
  assert.equal(refused.mcp_session, shortHash(session));
  assert.match(refused.reason, /another caller/);
  assert.equal((await post(url, token, { headers: { 'mcp-session-id': session } })).status, 200);
  assert.equal((await request(url, { method: 'DELETE', headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, 'mcp-session-id': session } })).status, 204);
  const end = await trail.has('its end', ({ event }) => event === 'mcp_session_end');
  assert.equal(end.mcp_session, shortHash(session));
  assert.match(end.reason, /deleted/);
  assert.ok(!trail.text.includes(session));
});

test('sessions that nobody comes back to have a line at their end', async (t) => {
  const upstream = await Upstream.start(async (incoming, response) => {
    await body(incoming);
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'one' });
    response.end('{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"a","version":"1"}}}');
  });
  t.after(() => upstream.stop());
  const issuer = await Issuer.make('https://issuer.example.com');
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }],
    resources: { 'issuer.yaml': [authConfig('config', issuer, { jwt: { max_session_ttl: '5s' } })] },
    gate: { audit: { output: 'audit.jsonl' } },
    limits: { mcp_session_idle: '1s' },
  });
  const url = gate.url('app');
  const trail = new Trail(gate);
  const token = await issuer.token(url);
  const initialize = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}';
  assert.equal((await post(url, token, { body: initialize })).status, 200);
  const start = await trail.has('its begin', ({ event }) => event === 'mcp_session_start');
  const idle = await trail.has('the MCP session to end', ({ event }) => event === 'mcp_session_end');
  assert.deepEqual([idle.mcp_session, idle.app, idle.subject, idle.reason], [start.mcp_session, 'app', start.subject, 'nobody used it']);
  assert.equal((await post(url, token, { headers: { 'mcp-session-id': 'one' } })).status, 404);
  const over = await trail.has('the session to end', ({ event }) => event === 'session_end');
  const [begun] = trail.of('session_start');
  assert.deepEqual([over.session, over.app, over.user, over.reason], [begun.session, 'app', begun.user, 'it expired']);
  assert.equal(trail.of('mcp_session_end').length, 1);
});

test('a stream has a line at its begin and one at its end', async (t) => {
  let stream;
  const { gate, url, issuer, trail } = await setUp(t, {
    handler: (incoming, response) => {
      stream = response;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    },
  });
  const token = await issuer.token(url);
  const headers = { ...MCP_HEADERS, authorization: `Bearer ${token}` };
  const listen = async () => {
    const response = await open(url, { headers });
    const read = response.text().catch(() => 'cut');
    return { response, read };
  };
  const first = await listen();
  const line = await trail.has('its begin', ({ event, stream: is }) => event === 'request' && is);
  assert.equal(line.http, 'GET');
  assert.equal(line.status, 200);
  assert.equal(trail.of('stream_end').length, 0);
  stream.end('data: 2\n\n');
  await first.read;
  const end = await trail.has('its end', ({ event }) => event === 'stream_end');
  assert.equal(end.reason, undefined);
  for (const key of ['pid', 'connection', 'request', 'session', 'client']) assert.equal(end[key], line[key], key);
  assert.ok(end.bytes_out > line.bytes_out && end.ms >= line.ms);
  const second = await listen();
  second.response.request.destroy();
  await trail.has('the client to leave', ({ event, reason }) => event === 'stream_end' && reason === 'the client left');
  const third = await listen();
  stream.destroy();
  await third.read;
  await trail.has('the server to fail', ({ event, reason }) => event === 'stream_end' && /cut/.test(reason));
  await t.test('and says that its token was revoked', async () => {
    const fourth = await listen();
    gate.writeResource('lock.yaml', { version: 'v2', kind: 'lock', metadata: { name: 'out' }, spec: { target: { user: EMAIL } } });
    await fourth.read;
    await trail.has('the end', ({ event, reason }) => event === 'stream_end' && /locked/.test(reason));
    const over = await trail.has('the session\'s end', ({ event }) => event === 'session_end');
    assert.equal(over.user, EMAIL);
    assert.match(over.reason, /locked/);
    assert.equal((await post(url, token)).status, 401);
  });
});

test('real clients leave a whole trail', async (t) => {
  const everything = await startEverything(t);
  const issuer = await Issuer.make('https://issuer.example.com');
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: everything.uri }],
    resources: { 'issuer.yaml': [authConfig('config', issuer)] },
    gate: { audit: { output: 'audit.jsonl' } },
  });
  const trail = new Trail(gate);
  const url = gate.url('app');
  for (const kind of ['v1', 'legacy']) {
    const client = await connectClient(t, kind, url, await issuer.token(url, { email: `${kind}@example.com` }));
    await client.listTools();
    await client.callTool({ name: 'echo', arguments: { message: 'hello' } });
    await client.getPrompt({ name: 'simple-prompt' }).catch(() => {});
    await client.close();
    const mine = () => trail.lines().filter(({ user }) => user === `${kind}@example.com`);
    await waitFor('its lines', () => mine().some(({ method }) => method === 'prompts/get'));
    const methods = mine().filter(({ event }) => event === 'request').map(({ method }) => method);
    for (const method of ['initialize', 'notifications/initialized', 'tools/list', 'tools/call', 'prompts/get']) assert.ok(methods.includes(method), `${kind}: ${methods}`);
    assert.equal(mine().find(({ method }) => method === 'tools/call').name, 'echo');
    const [start] = mine().filter(({ event }) => event === 'mcp_session_start');
    assert.equal(mine().find(({ method }) => method === 'tools/call').mcp_session, start.mcp_session);
  }
});

test('a batch hides nothing', async (t) => {
  const { url, trail, token } = await setUp(t);
  const answer = await post(url, token, { body: `[${call('a', 1)},${call('b', 2)},${PING}]`, headers: { 'mcp-protocol-version': '2025-03-26' } });
  assert.equal(answer.status, 200, answer.text);
  const line = await trail.has('the line', ({ batch }) => batch === 3);
  const parts = trail.of('batch_message').filter(({ connection, pid }) => connection === line.connection && pid === line.pid);
  assert.deepEqual(parts.map(({ method, id, name, request: number }) => [method, id, name, number]), [
    ['tools/call', 1, 'a', line.request], ['tools/call', 2, 'b', line.request], ['ping', 1, undefined, line.request],
  ]);
});

test('rotation under load loses no line, writes none twice, and keeps the order of each connection', async (t) => {
  const { gate, issuer, url, trail } = await setUp(t);
  const tokens = await Promise.all(Array.from({ length: 4 }, () => issuer.token(url)));
  let sent = 0;
  const load = new Load(t, 8, async (agent) => (await post(url, tokens[sent % 4], { body: call('echo', sent++), agent })).status);
  const moved = [];
  const rotate = async (signal) => {
    const aside = `${trail.path}.${moved.length}`;
    const before = load.done.length;
    renameSync(trail.path, aside);
    moved.push(aside);
    gate.signal(signal);
    await waitFor('a new file', () => existsSync(trail.path) && trail.lines().length > 0);
    await waitFor('more requests', () => load.done.length > before + 100);
  };
  for (const signal of ['SIGUSR1', 'SIGHUP', 'SIGUSR1', 'SIGUSR1']) await rotate(signal);
  // A reload that is refused opens the files again, too.
  gate.settings.gate.workers = 'many';
  gate.writeSettings();
  await rotate('SIGHUP');
  await load.stop();
  assert.deepEqual(load.failures, []);
  const files = [...moved, trail.path].map((path) => Object.assign(Object.create(Trail.prototype), { path }));
  const lines = () => files.flatMap((file) => file.lines()).filter(({ event }) => event === 'request');
  await waitFor('the last line', () => lines().length >= sent);
  assert.equal(lines().length, sent);
  assert.equal(new Set(lines().map(({ id }) => id)).size, sent);
  const next = new Map();
  for (const { pid, connection, request: number } of lines()) {
    const key = `${pid} ${connection}`;
    assert.equal(number, (next.get(key) ?? 0) + 1, key);
    next.set(key, number);
  }
  const numbers = new Map();
  for (const { pid, line } of files.flatMap((file) => file.lines())) numbers.set(pid, [...(numbers.get(pid) ?? []), line]);
  for (const [pid, all] of numbers) assert.deepEqual(all, all.map((_, i) => i + 1), `the lines of ${pid}`);
});

test('copytruncate leaves no hole', async (t) => {
  const { url, trail, token } = await setUp(t);
  await post(url, token);
  await trail.has('a line', ({ event }) => event === 'request');
  copyFileSync(trail.path, `${trail.path}.1`);
  truncateSync(trail.path);
  await post(url, token);
  await trail.has('the next line', ({ event }) => event === 'request');
  assert.ok(!trail.text.includes('\0'));
});

// A limit on the size of files is a disk that is full: EFBIG in the place of ENOSPC. The stores are
// sparse files, larger than the limit, but mapped and already there, so only the trail runs into it.
async function limit(pid, size) {
  const changed = await run('prlimit', ['--pid', String(pid), `--fsize=${size}:`]);
  assert.equal(changed.status, 0, changed.output);
}

for (const refuse of [false, true]) {
  test(`a full disk: requests are ${refuse ? 'refused until there is room' : 'served'}`, async (t) => {
    const { gate, url, trail, token } = await setUp(t, { workers: 1, audit: { on_failure: refuse ? 'refuse' : 'serve' } });
    assert.equal((await post(url, token)).status, 200);
    await trail.has('a line', ({ event }) => event === 'request');
    const [{ pid }] = gate.children('worker');
    await limit(pid, Math.max(1, trail.text.length + 100));
    await waitFor('the failure', async () => {
      await post(url, token);
      return (await gate.metric('audit_failing')) === 1;
    });
    assert.ok((await gate.metric('audit_failures_total')) >= 1);
    await waitFor('the log', () => /audit_failed.*File too large/.test(gate.log));
    const answers = [];
    for (let i = 0; i < 20; i++) answers.push((await post(url, token)).status);
    assert.deepEqual([...new Set(answers)], [refuse ? 503 : 200]);
    assert.equal(gate.log.match(/audit_failed/g).length, 1);
    assert.equal((await request(`${gate.admin}/livez`)).status, 200);
    await limit(pid, 'unlimited');
    await waitFor('the recovery', async () => (await gate.metric('audit_failing')) === 0);
    assert.equal((await post(url, token)).status, 200);
    const gap = await waitFor('the gap', () => trail.lines({ torn: true }).find(({ event }) => event === 'audit_gap'));
    assert.equal(gap.lost, 0);
    assert.equal(gap.refused > 0, refuse);
    // Whatever was served is there: nothing was lost, the line that broke is whole again.
    const numbers = trail.lines({ torn: true }).map(({ line }) => line);
    assert.deepEqual(numbers, numbers.map((_, i) => i + 1));
    assert.ok(trail.text.endsWith('\n'));
  });
}

test('/dev/full is a disk that is full from the beginning', async (t) => {
  const { gate, url, token } = await setUp(t, { workers: 1, audit: { output: '/dev/full', on_failure: 'refuse' } });
  await waitFor('requests to be refused', async () => (await post(url, token)).status === 503);
  assert.equal(await gate.metric('audit_failing'), 1);
  await waitFor('the log', () => /audit_failed.*No space left on device/.test(gate.log));
});

test('a pipe that nobody reads stops nobody, and is a failure', async (t) => {
  const { gate, url, token } = await setUp(t, {
    workers: 1, audit: { output: 'stderr', on_failure: 'refuse' }, wrapper: ['bash', '-c', 'exec "$@" 2> >(exec cat >&2)', 'bash'],
  });
  const ask = async () => (await post(url, token)).status;
  assert.equal(await ask(), 200);
  await waitFor('a line', () => /"event":"request"/.test(gate.log));
  const reader = gate.children().find(({ role }) => role === undefined).pid;
  process.kill(reader, 'SIGSTOP');
  t.after(() => process.kill(reader, 'SIGCONT'));
  const stranger = await (await Issuer.make()).token(url);
  const load = new Load(t, 8, async (agent) => ((await post(url, token, { agent })).status === 503 ? 503 : 200));
  await waitFor('requests to be refused', () => load.failures.length > 0, { deadline: 60_000 });
  await load.stop();
  assert.equal(await ask(), 503);
  assert.equal(await gate.metric('audit_failing'), 1);
  await waitFor('lines of the log to be dropped', async () => {
    await post(url, stranger);
    gate.signal('SIGHUP');
    return (await gate.metric('log_lines_lost_total')) > 0;
  });
  assert.equal((await request(`${gate.admin}/livez`)).status, 200);
  process.kill(reader, 'SIGCONT');
  await waitFor('requests to be served', async () => (await ask()) === 200);
  assert.equal(await gate.metric('audit_failing'), 0);
  await waitFor('the log to say what is missing', () => /log_lost: \d+ lines/.test(gate.log) && /"event":"audit_gap"/.test(gate.log));
});
