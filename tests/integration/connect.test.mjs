// gatehouse connect: desktop clients reach the gate by standard input and output.

import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Connect } from './harness/connect.mjs';
import { GATEHOUSE, Gateway, authConfig, gatehouse, makeCertificate, temporaryDirectory } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, makeClient, noResumption, overHttp, overStdio, startEverything, startMcpProxy } from './harness/mcp.mjs';
import { recordModern } from './harness/modern_scenario.mjs';
import { ModernServer } from './harness/modern_server.mjs';
import { freePort } from './harness/ports.mjs';
import { Program, run } from './harness/process.mjs';
import { Relay } from './harness/relay.mjs';
import { assertSame, recordScenario, withoutSession } from './harness/scenario.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

function scratch(t) {
  const directory = temporaryDirectory('gatehouse-connect');
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

// `server`: its URI, or what an app says of it.
async function gateBefore(t, server, { jwt, ...options } = {}) {
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', ...(typeof server === 'string' ? { uri: server } : server) }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer, { jwt })] },
    ...options,
  });
  const url = gate.url('app');
  const file = join(scratch(t), 'token');
  const token = await issuer.token(url);
  writeFileSync(file, `${token}\n`);
  return { gate, issuer, url, token, file };
}

const direct = (server) => server.uri.replace('mcp+', '');
const connected = (kind, url, ...args) => overStdio(kind, GATEHOUSE, ['connect', url, ...args]);

// A stdio transport knows no version and no HTTP: what was an HTTP error with a JSON-RPC error in it
// is that error. And an SDK client drops progress that a pipe brings together with the result.
function asByPipe(record) {
  return record.map((entry) => {
    if (entry.step === 'connect' && entry.result) delete entry.result.version;
    if (entry.error?.data?.status !== 404) return entry;
    const { code, message, data } = JSON.parse(entry.error.data.text).error;
    return { ...entry, error: { name: 'ProtocolError', code, message, ...(data && { data }) } };
  });
}

// What the gate itself does to a client's life is recorded.test.mjs's: here, what the bridge does.
const everything = { asks: true, tells: true, tasks: true };

test('the comparison of clients, server-everything', async (t) => {
  const server = await startEverything(t);
  const { url, file, token } = await gateBefore(t, server.uri);
  for (const kind of ['v1', 'legacy', 'auto']) {
    await t.test(`SDK client ${kind}`, async (t) => {
      const without = await recordScenario(t, { ...overHttp(kind, url, { token, ...noResumption }), stdio: true }, everything);
      const through = await recordScenario(t, connected(kind, url, '--token-file', file), everything);
      assert.ok(without.length > 40);
      assertSame(asByPipe(through), asByPipe(without));
    });
  }
});

const bareEverything = [join(import.meta.dirname, '../node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'];
const user = process.getuid() === 0 ? { run_as_host_user: 'nobody' } : {};

// The same server twice: at the client's own pipes, and behind `connect`, the gate, and its bridge.
test('the comparison of clients, with the bare server over stdio', async (t) => {
  const app = { mcp: { command: process.execPath, args: bareEverything, ...user } };
  const { url, file } = await gateBefore(t, app, { gate: { stdio: { users: ['nobody'] } } });
  for (const kind of ['v1', 'legacy', 'auto']) {
    await t.test(`SDK client ${kind}`, async (t) => {
      const bare = await recordScenario(t, overStdio(kind, process.execPath, bareEverything), everything);
      const through = await recordScenario(t, connected(kind, url, '--token-file', file), everything);
      assert.ok(bare.length > 40);
      assertSame(withoutSession(through), withoutSession(bare));
    });
  }
});

// What dies with the gate is the server of its session: another is started, and told what the first
// one was.
for (const kind of ['v1', 'legacy']) {
  test(`an SDK client ${kind} lives on when the gate restarts, and when its token changes`, async (t) => {
    const app = { mcp: { command: process.execPath, args: bareEverything, ...user } };
    const { gate, issuer, url, file } = await gateBefore(t, app, { gate: { stdio: { users: ['nobody'] } }, jwt: { clock_skew: '0s' } });
    const old = await issuer.token(url, { exp: Math.floor(Date.now() / 1000) + 5 });
    writeFileSync(file, old);
    const client = makeClient(kind);
    t.after(() => client.close().catch(() => {}));
    let updated = 0;
    client.fallbackNotificationHandler = async ({ method }) => {
      if (method === 'notifications/resources/updated') updated++;
    };
    await client.connect(connected(kind, url, '--token-file', file).transport());
    await client.subscribeResource({ uri: 'demo://resource/dynamic/text/1' });
    const call = async (name, args = {}) => (await client.callTool({ name, arguments: args })).content[0].text;
    assert.equal(await call('echo', { message: 'before' }), 'Echo: before');

    await waitFor('the token to expire', async () => (await post(url, old)).status === 401);
    writeFileSync(file, await issuer.token(url));
    assert.equal(await call('echo', { message: 'another token' }), 'Echo: another token');

    await gate.stop();
    await gate.run();
    assert.equal(await call('echo', { message: 'restarted' }), 'Echo: restarted');
    await call('toggle-subscriber-updates');
    await waitFor('an update of what was subscribed to before', () => updated > 0);
  });
}

test('the comparison of clients, mcp-proxy', async (t) => {
  const server = await startMcpProxy(t);
  const facts = { tells: true, piped: true };
  await recordScenario(t, overHttp('v1', direct(server), noResumption), facts);
  const { url, file, token } = await gateBefore(t, server.uri);
  for (const kind of ['v1', 'modern']) {
    await t.test(`SDK client ${kind}`, async (t) => {
      const without = await recordScenario(t, overHttp(kind, url, { token, ...noResumption }), facts);
      const through = await recordScenario(t, connected(kind, url, '--token-file', file), facts);
      assertSame(asByPipe(through), asByPipe(without));
    });
  }
});

for (const kind of ['modern', 'auto']) {
  test(`a server of 2026-07-28, SDK client ${kind}`, async (t) => {
    const server = await ModernServer.start(t);
    const { url, file } = await gateBefore(t, server.uri);
    const without = await recordModern(t, overHttp(kind, direct(server)), server);
    const through = await recordModern(t, connected(kind, url, '--token-file', file), server);
    const kept = (record) => asByPipe(record).filter(({ step }) => step !== 'progress');
    assertSame(kept(through), kept(without));
    assert.ok(kept(through).length > 14);
  });
}

const slowly = (duration, steps) => ({
  name: 'trigger-long-running-operation', arguments: { duration, steps }, _meta: { progressToken: 'p' },
});
const progressOf = (connect) => connect.messages.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params.progress);

test('a cut stream is resumed', async (t) => {
  const server = await startEverything(t);
  const relay = await Relay.start(t);
  const { gate, issuer, file } = await gateBefore(t, server.uri, { gate: { public_addr: relay.origin } });
  relay.to = gate.port;
  const url = `${relay.origin}/mcp/apps/app`;
  writeFileSync(file, await issuer.token(url));
  const other = await connectClient(t, 'v1', direct(server));
  const connect = Connect.start(t, [url, '--token-file', file]);
  await connect.initialize();
  connect.send({ id: 'cut', method: 'tools/call', params: slowly(0.6, 6) });
  await waitFor('progress', () => progressOf(connect).length > 0);
  relay.shut();
  // When this one is over, so is the one whose stream was cut: the rest comes by resumption.
  await other.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 0.6, steps: 6 } });
  assert.ok(progressOf(connect).length < 6);
  relay.open();
  assert.match(JSON.stringify((await connect.answer('cut')).result), /completed/);
  assert.deepEqual(progressOf(connect).slice(0, 5), [1, 2, 3, 4, 5]);
});

test('the inspector starts it as a stdio server', async (t) => {
  const server = await startEverything(t);
  const { url, file } = await gateBefore(t, server.uri);
  const printed = await gatehouse('client-config', '--client', 'claude', url, '--name', 'everything', '--token-file', file);
  assert.equal(printed.status, 0, printed.output);
  const config = join(scratch(t), 'mcp.json');
  writeFileSync(config, printed.stdout);
  const inspect = (...line) => run(process.execPath, [join(import.meta.dirname, '../node_modules/.bin/mcp-inspector'), '--cli',
    '--config', config, '--server', 'everything', '--format', 'json', ...line], { env: { MCP_INSPECTOR_SECRET_STORE: 'memory' } });
  const list = await inspect('--method', 'tools/list');
  assert.equal(list.status, 0, list.output);
  assert.match(list.stdout, /"echo"/);
  const call = await inspect('--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'message=by pipe');
  assert.equal(call.status, 0, call.output);
  assert.match(call.stdout, /by pipe/);
});

test('a gateway that restarts', async (t) => {
  const server = await startEverything(t);
  const { gate, url, file } = await gateBefore(t, server.uri);
  const connect = Connect.start(t, [url, '--token-file', file]);
  await connect.initialize();
  const echo = (message) => connect.request('tools/call', { name: 'echo', arguments: { message } });
  assert.equal((await echo('before')).result.content[0].text, 'Echo: before');

  await gate.stop();
  const answer = echo('meanwhile');
  await waitFor('it to notice', () => /trying again/.test(connect.stderr));
  await gate.run();
  assert.equal((await answer).result.content[0].text, 'Echo: meanwhile');
  assert.equal((await echo('after')).result.content[0].text, 'Echo: after');

  // With a call under way whose stream can be resumed.
  connect.send({ id: 'long', method: 'tools/call', params: slowly(4, 8) });
  await waitFor('progress', () => progressOf(connect).length > 0);
  gate.signal('SIGKILL');
  await gate.program.exited;
  await gate.run();
  assert.match(JSON.stringify((await connect.answer('long')).result), /completed/);
  assert.equal((await echo('again')).result.content[0].text, 'Echo: again');
  assert.equal(connect.messages.filter(({ result }) => result?.serverInfo).length, 1);
  assert.deepEqual(await connect.leave(), { status: 0, signal: null });
});

test('a token that expires in mid-session is asked for again', async (t) => {
  const server = await startEverything(t);
  const { issuer, url, file, gate } = await gateBefore(t, server.uri, { jwt: { clock_skew: '0s' } });
  const old = await issuer.token(url, { exp: Math.floor(Date.now() / 1000) + 3 });
  const asked = `${file}.asked`;
  writeFileSync(file, old);
  const connect = Connect.start(t, [url, '--token-command', `echo x >>${asked}; cat ${file}`]);
  await connect.initialize();
  const calls = (name) => Promise.all([1, 2, 3].map((a) => connect.request('tools/call', { name, arguments: { message: String(a), a, b: 1 } })));
  assert.match(JSON.stringify(await calls('echo')), /Echo: 3/);
  const count = () => readFileSync(asked, 'utf8').split('\n').length - 1;
  assert.equal(count(), 1);

  await waitFor('the token to expire', async () => (await post(url, old)).status === 401);
  // The same one again is no help; words, and nothing of the token.
  const refused = await connect.request('ping');
  assert.equal(refused.error.code, -32603);
  assert.match(refused.error.message, /refused the token/);

  const fresh = await issuer.token(url);
  writeFileSync(file, fresh);
  const before = count();
  assert.match(JSON.stringify(await calls('get-sum')), /sum of 3 and 1 is 4/);
  assert.ok(count() - before <= 2, 'three calls ask once, and the session\'s stream at most once more');
  for (const token of [old, fresh]) {
    for (const text of [connect.stdout, connect.stderr, connect.commandLine, gate.log]) assert.ok(!text.includes(token));
  }
});

async function startDemo(t, port) {
  const program = new Program(GATEHOUSE, ['demo-server', '--listen', `127.0.0.1:${port}`], { name: 'demo-server' });
  t.after(() => program.stop());
  await program.says(/listening/);
  return program;
}

test('a session that the server forgot is opened anew', async (t) => {
  const port = await freePort();
  const first = await startDemo(t, port);
  const { url, file } = await gateBefore(t, `mcp+http://127.0.0.1:${port}/mcp`);
  const client = makeClient('v1');
  t.after(() => client.close().catch(() => {}));
  const transport = new StdioClientTransport({ command: GATEHOUSE, args: ['connect', url, '--token-file', file], stderr: 'pipe' });
  let words = '';
  transport.stderr.on('data', (text) => (words += text));
  await client.connect(transport);
  const add = (a) => client.callTool({ name: 'add', arguments: { a, b: 1 } });
  assert.match(JSON.stringify(await add(1)), /2/);
  await first.stop();
  await startDemo(t, port);
  const sums = await Promise.all([10, 20, 30, 40].map(add));
  assert.deepEqual(sums.map((sum) => sum.content[0].text), ['11', '21', '31', '41']);
  assert.equal(words.match(/opened anew/g).length, 1);
});

test('a new session is told what the last one was: subscriptions, and the log level', async (t) => {
  let known = true;
  const lost = () => (known ? undefined : [404, {}]);
  const server = await scripted(t, {
    ping: lost,
    initialize: () => {
      known = true;
      return undefined;
    },
  });
  const connect = Connect.start(t, [server.url]);
  await connect.initialize();
  await connect.request('logging/setLevel', { level: 'info' });
  await connect.request('logging/setLevel', { level: 'debug' });
  const uris = Array.from({ length: 20 }, (_, i) => `file:///${i}/"ü"`);
  for (const uri of [...uris, 'file:///given-up', uris[3]]) await connect.request('resources/subscribe', { uri });
  await connect.request('resources/unsubscribe', { uri: 'file:///given-up' });
  await connect.request('resources/unsubscribe', { uri: 'file:///never' });
  const before = server.requests.length;
  const said = connect.messages.length;
  known = false;
  assert.ok((await connect.request('ping')).result);

  const after = server.requests.slice(before).map(({ message, headers }) => ({ ...message, session: headers['mcp-session-id'] }));
  const session = after.find(({ method }) => method === 'notifications/initialized').session;
  const told = after.filter(({ method }) => method === 'logging/setLevel' || method === 'resources/subscribe');
  assert.deepEqual(told.filter(({ method }) => method === 'logging/setLevel').map(({ params }) => params.level), ['debug']);
  assert.deepEqual(told.flatMap(({ params }) => params.uri ?? []).sort(), [...uris].sort());
  assert.ok(told.every((message) => message.session === session));
  // The request that waited comes behind all of them, and the client hears of none.
  assert.equal(after.at(-1).method, 'ping');
  assert.equal(after.at(-1).session, session);
  assert.equal(connect.messages.length, said + 1);

  // Each time; and not what a client told before it began anew itself.
  known = false;
  const second = server.requests.length;
  assert.ok((await connect.request('ping')).result);
  assert.equal(server.requests.slice(second).filter(({ message }) => message.method === 'resources/subscribe').length, uris.length);
  await connect.initialize();
  known = false;
  const third = server.requests.length;
  assert.ok((await connect.request('ping')).result);
  assert.equal(server.requests.slice(third).filter(({ message }) => /subscribe|setLevel/.test(message.method)).length, 0);
});

test('a new session that refuses what it is told serves all the same', async (t) => {
  let known = true;
  let refuses = false;
  const server = await scripted(t, {
    ping: () => (known ? undefined : [404, {}]),
    'logging/setLevel': () => (refuses ? [400, { jsonrpc: '2.0', id: null, error: { code: -32602, message: 'no such level' } }] : undefined),
    'resources/subscribe': ({ message: { id } }, response) => {
      if (!refuses) return;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32002, message: 'that resource is gone' } }));
    },
    initialize: () => {
      known = true;
      return undefined;
    },
  });
  const connect = Connect.start(t, [server.url]);
  await connect.initialize();
  await connect.request('logging/setLevel', { level: 'debug' });
  await connect.request('resources/subscribe', { uri: 'file:///a' });
  refuses = true;
  known = false;
  assert.ok((await connect.request('ping')).result);
  assert.match(connect.stderr, /no such level/);
  assert.match(connect.stderr, /that resource is gone/);
});

// A server in the test's hands. `answers`: by method; each gives [status, result or body, headers].
async function scripted(t, answers = {}) {
  const server = await Upstream.start(async (request, response, seen) => {
    seen.message = request.method === 'POST' ? JSON.parse(await body(request)) : {};
    const { id, method } = seen.message;
    const answer = await answers[method ?? request.method]?.(seen, response);
    if (response.writableEnded || response.headersSent || response.destroyed) return;
    if (answer) {
      const [status, value, headers] = answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(status === 200 ? { jsonrpc: '2.0', id, result: value } : value));
    } else if (method === 'initialize') {
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': `s-${server.requests.length}` });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'scripted', version: '1' } } }));
    } else if (request.method !== 'POST') {
      response.writeHead(405).end();
    } else if (id === undefined || method === undefined) {
      response.writeHead(202).end();
    } else {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }));
    }
  });
  t.after(() => server.stop());
  server.url = server.uri.replace('mcp+', '');
  server.of = (method) => server.requests.filter((request) => request.message?.method === method);
  return server;
}

test('another server behind the same URL is no continuation', async (t) => {
  let known = true;
  const server = await scripted(t, {
    ping: () => (known ? undefined : [404, {}]),
    initialize: ({ message }) => (known ? undefined
      : [200, { protocolVersion: message.params.protocolVersion, capabilities: {}, serverInfo: { name: 'another', version: '1' } }, { 'mcp-session-id': 'other' }]),
  });
  const connect = Connect.start(t, [server.url]);
  await connect.initialize();
  assert.ok((await connect.request('ping')).result);
  known = false;
  const answer = await connect.request('ping');
  assert.equal(answer.error.code, -32603);
  assert.match(answer.error.message, /another one/);
});

test('what stands in the headers', async (t) => {
  const server = await scripted(t);
  const connect = Connect.start(t, [`${server.url}?a=b`, '-H', 'X-Team: blue', '--token-env', 'THE_TOKEN'], { env: { THE_TOKEN: 'abc.def' } });
  await connect.initialize();
  await connect.request('ping');
  await connect.request('resources/read', {
    uri: 'file:///Zürich', _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} },
  });
  const [first] = server.of('initialize');
  assert.equal(first.url, '/mcp?a=b');
  assert.equal(first.headers['mcp-protocol-version'], undefined);
  assert.equal(first.headers.authorization, 'Bearer abc.def');
  assert.equal(first.headers['x-team'], 'blue');
  const [ping] = server.of('ping');
  assert.equal(ping.headers['mcp-protocol-version'], '2025-11-25');
  assert.equal(ping.headers['mcp-session-id'], 's-1');
  const [read] = server.of('resources/read');
  assert.equal(read.headers['mcp-protocol-version'], '2026-07-28');
  assert.equal(read.headers['mcp-session-id'], undefined);
  assert.equal(read.headers['mcp-method'], 'resources/read');
  assert.equal(read.headers['mcp-name'], `=?base64?${Buffer.from('file:///Zürich').toString('base64')}?=`);
  assert.deepEqual(await connect.leave(), { status: 0, signal: null });
  const goodbye = server.requests.filter(({ method }) => method === 'DELETE');
  assert.deepEqual(goodbye.map(({ headers }) => headers['mcp-session-id']), ['s-1']);
});

test('cancellation: by notification, and of 2026-07-28 by the end of the stream', async (t) => {
  const waiting = [];
  const wait = ({ message }, response) => new Promise((resolve) => {
    waiting.push(message.id);
    response.once('close', resolve);
  });
  const ended = [];
  const server = await scripted(t, {
    'tools/call': async (seen, response) => {
      await wait(seen, response);
      ended.push(seen.message.id);
    },
  });
  const connect = Connect.start(t, [server.url]);
  await connect.initialize();
  connect.send({ id: 'old', method: 'tools/call', params: { name: 'x' } });
  connect.send({
    id: 'new', method: 'tools/call',
    params: { name: 'x', _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} } },
  });
  await waitFor('both to run', () => waiting.length === 2);
  connect.send({ method: 'notifications/cancelled', params: { requestId: 'new' } });
  await waitFor('the new one to end', () => ended.includes('new'));
  assert.equal(server.of('notifications/cancelled').length, 0);
  connect.send({ method: 'notifications/cancelled', params: { requestId: 'old' } });
  await waitFor('the old one to end', () => ended.includes('old'));
  assert.equal(server.of('notifications/cancelled').length, 1);
  assert.ok((await connect.request('ping')).result);
  assert.equal(connect.messages.filter(({ id }) => id === 'old' || id === 'new').length, 0);
});

test('refusals become errors in words', async (t) => {
  const answers = {};
  let busy = 0;
  answers['tools/call'] = ({ message: { params } }, response) => {
    switch (params.name) {
      case 'scope': return [403, {}, { 'www-authenticate': 'Bearer error="insufficient_scope", scope="mcp:read mcp:write"' }];
      case 'broken': return [502, { jsonrpc: '2.0', id: null, error: { code: -32603, message: 'the app is down' } }, { 'gatehouse-error-origin': 'gateway' }];
      case 'busy': return busy++ === 0 ? [429, {}, { 'retry-after': '0' }] : [200, { content: [] }];
      case 'always': return [503, {}, { 'retry-after': '0' }];
      case 'later': return [429, {}, { 'retry-after': '600' }];
      case 'moved': return [307, {}, { location: 'http://127.0.0.2/' }];
      case 'bad': return [400, { jsonrpc: '2.0', id: null, error: { code: -32020, message: 'header mismatch', data: [1] } }];
      case 'lost': response.socket.destroy(); return undefined;
      default: return undefined;
    }
  };
  const server = await scripted(t, answers);
  const connect = Connect.start(t, [server.url]);
  await connect.initialize();
  const call = (name) => connect.request('tools/call', { name });
  const expected = {
    scope: /403 Forbidden.*scope mcp:read mcp:write/,
    broken: /the gate answered 502 Bad Gateway: the app is down/,
    always: /503/,
    later: /429.*600 s/,
    moved: /307.*not followed/,
    lost: /may have acted/,
  };
  for (const [name, words] of Object.entries(expected)) {
    const { error } = await call(name);
    assert.equal(error?.code, -32603, name);
    assert.match(error.message, words);
    assert.match(connect.stderr, words);
  }
  assert.ok((await call('busy')).result);
  assert.deepEqual((await call('bad')).error, { code: -32020, message: 'header mismatch', data: [1] });
  const names = server.of('tools/call').map(({ message }) => message.params.name);
  assert.deepEqual(names, ['scope', 'broken', 'always', 'always', 'later', 'moved', 'lost', 'busy', 'busy', 'bad']);

  // What is no message, and what no client may send.
  connect.child.stdin.write('this is no JSON\n[]\n\n{"jsonrpc":"2.0","id":77,"method":"a","method":"b"}\n');
  assert.match((await connect.answer(77)).error.message, /twice/);
  assert.ok((await connect.request('ping')).result);
});

test('a client that reads slowly holds the server back, and loses nothing', async (t) => {
  const data = 'x'.repeat(100_000);
  let written = 0;
  let held = false;
  const server = await scripted(t, {
    'tools/call': async ({ message: { id } }, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (; written < 400; written++) {
        const event = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data, n: written } });
        if (response.write(`data: ${event}\n\n`)) continue;
        const timer = setTimeout(() => (held = true), 300);
        await new Promise((resolve) => response.once('drain', resolve));
        clearTimeout(timer);
      }
      response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n\n`);
    },
  });
  const connect = Connect.start(t, [server.url]);
  await connect.initialize();
  connect.child.stdout.pause();
  connect.send({ id: 'many', method: 'tools/call', params: { name: 'x' } });
  await waitFor('the server to wait', () => held);
  assert.ok(written < 300, `${written} of 400 were taken`);
  const [, resident] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${connect.child.pid}/status`, 'latin1'));
  if (!/sanitized/.test(GATEHOUSE)) assert.ok(Number(resident) < 40_000, `${resident} kB`);
  connect.child.stdout.resume();
  await waitFor('the answer', () => connect.stdout.endsWith('"id":"many","result":{}}\n'));
  assert.deepEqual(connect.messages.filter(({ params }) => params).map(({ params }) => params.n), Array.from({ length: 400 }, (_, n) => n));
});

test('a gate that cannot be reached, and no token for it', async (t) => {
  const { url } = await gateBefore(t, 'mcp+http://127.0.0.1:9/mcp');
  const none = Connect.start(t, [url]);
  const { error } = await none.request('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } });
  assert.equal(error.code, -32603);
  assert.match(error.message, /401 Unauthorized/);

  const missing = Connect.start(t, [url, '--token-file', '/no/such/file']);
  assert.match((await missing.request('ping')).error.message, /no\/such\/file: No such file/);
  const failing = Connect.start(t, [url, '--token-command', 'exit 3']);
  assert.match((await failing.request('ping')).error.message, /token command: it failed/);

  const away = Connect.start(t, [`http://127.0.0.1:${await freePort()}/mcp`]);
  away.send({ id: 1, method: 'ping' });
  await waitFor('words', () => /Connection refused; trying again/.test(away.stderr));
  assert.deepEqual(await away.leave(), { status: 0, signal: null });
  assert.equal(away.stdout, '');
});

test('over TLS, with a certificate of the client', async (t) => {
  const directory = scratch(t);
  const served = await makeCertificate(directory, 'gate.example.com');
  const own = await makeCertificate(directory, 'client');
  const server = createTlsServer({ cert: served.pem, key: readFileSync(served.key), requestCert: true, ca: [own.pem] }, async (request, response) => {
    const { id, method } = request.method === 'POST' ? JSON.parse(await body(request)) : {};
    if (method !== 'ping') {
      response.writeHead(405).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': a comment\n\n');
    response.end(`event: message\ndata: {"jsonrpc":"2.0",\ndata: "id":${id},"result":{"who":"${request.socket.getPeerCertificate().subject.CN}"}}\n\n`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `https://127.0.0.1:${server.address().port}/mcp`;
  const connect = Connect.start(t, [url, '--ca', served.certificate, '--client-cert', own.certificate, '--client-key', own.key]);
  assert.deepEqual((await connect.request('ping')).result, { who: 'client' });
  assert.deepEqual((await connect.request('ping')).result, { who: 'client' });

  const distrusting = Connect.start(t, [url]);
  distrusting.send({ id: 1, method: 'ping' });
  await waitFor('words', () => /certificate not trusted/.test(distrusting.stderr));
});

test('command lines that are refused', async (t) => {
  const refuse = async (words, ...args) => {
    const { status, stdout, output } = await gatehouse('connect', ...args);
    assert.equal(status, 64, args.join(' '));
    assert.equal(stdout, '');
    assert.match(output, words);
  };
  await refuse(/no URL/);
  await refuse(/plain http/, 'http://gate.example.com/mcp');
  await refuse(/begins with https/, 'mcp+http://127.0.0.1/mcp');
  await refuse(/command line is seen/, 'https://gate.example.com', '-H', 'Authorization: Bearer x');
  await refuse(/not to be set/, 'https://gate.example.com', '-H', 'Mcp-Session-Id: x');
  await refuse(/is enough/, 'https://gate.example.com', '--token-env', 'A', '--token-file', 'B');
  await refuse(/go together/, 'https://gate.example.com', '--client-cert', 'B');
  await refuse(/no such option/, 'https://gate.example.com', '--client', 'claude');
});

test('client-config prints what each client reads, and it starts', async (t) => {
  const server = await scripted(t);
  for (const [client, servers, type] of [['claude', 'mcpServers'], ['cursor', 'mcpServers'], ['vscode', 'servers', 'stdio']]) {
    const script = join(scratch(t), 'to"ken');
    writeFileSync(script, '#!/bin/sh\necho abc\n');
    chmodSync(script, 0o755);
    const printed = await gatehouse('client-config', '--client', client, server.url, '--token-command', script.replace('"', '\\"'), '-H', 'X-A: b');
    assert.equal(printed.status, 0, printed.output);
    const entry = JSON.parse(printed.stdout)[servers].mcp;
    assert.equal(entry.type, type);
    assert.equal(entry.command, GATEHOUSE);
    const started = Connect.start(t, entry.args.slice(1));
    await started.initialize();
    assert.equal(server.requests.at(-1).headers.authorization, 'Bearer abc');
  }
  assert.equal((await gatehouse('client-config', '--client', 'emacs', server.url)).status, 64);
});
