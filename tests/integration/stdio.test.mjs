// stdio servers through the gate: sessions by scope, streams, crashes, caps, both eras.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Connect } from './harness/connect.mjs';
import { GATEHOUSE, Gateway, authConfig, temporaryDirectory } from './harness/gateway.mjs';
import { MCP_HEADERS, open, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, startEverything } from './harness/mcp.mjs';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { childrenOf } from './harness/process.mjs';
import { waitFor } from './harness/wait.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const everything = join(here, '../node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const own = join(here, 'harness/stdio_server.mjs');

// Where root runs the gate, its servers must run as somebody else.
const user = process.getuid() === 0 ? { run_as_host_user: 'nobody' } : {};

// The app's document for our own server.
function stdioApp(name, more = {}, args = [own]) {
  return { name, mcp: { command: process.execPath, args, ...user, ...more } };
}

async function gateBefore(t, apps, { stdio = {}, ...options } = {}) {
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps,
    gate: { stdio: { users: ['nobody'], ...stdio } },
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    ...options,
  });
  gate.issuer = issuer;
  return gate;
}

const words = (result) => result.content.map((part) => part.text).join('');

// Which server answers, and how many there are: each has a guardian, the launcher's child.
const who = async (session) => words((await session.call('who')).messages.at(-1).result);
const servers = (gate) => gate.children('launcher').flatMap(({ pid }) => childrenOf(pid)).length;

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0', id: 0, method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: { sampling: {} }, clientInfo: { name: 'raw', version: '1' } },
});

// A session by hand: what no SDK lets a test see.
class Session {
  static async open(gate, app, token) {
    const session = new Session();
    session.url = gate.url(app);
    session.token = token;
    const answer = await post(session.url, token, { body: INITIALIZE });
    assert.equal(answer.status, 200, answer.text);
    session.id = answer.headers['mcp-session-id'];
    assert.match(session.id, /^[0-9a-f]{32}$/);
    const accepted = await session.post({ method: 'notifications/initialized' });
    assert.equal(accepted.status, 202, accepted.text);
    return session;
  }

  headers(more = {}) {
    return { ...MCP_HEADERS, authorization: `Bearer ${this.token}`, 'mcp-session-id': this.id, 'mcp-protocol-version': '2025-11-25', ...more };
  }

  post(message) {
    return request(this.url, { method: 'POST', headers: this.headers(), body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
  }

  // The messages of an answer, JSON or events.
  async call(name, args = {}, more = {}) {
    const answer = await this.post({ id: 1, method: 'tools/call', params: { name, arguments: args, ...more } });
    return { status: answer.status, messages: messagesOf(answer), answer };
  }

  // A stream, as Events.
  async stream(options) {
    return new Events(await open(this.url, { ...options, headers: this.headers(options.headers) }));
  }
}

function messagesOf({ headers, text }) {
  if (!/event-stream/.test(headers['content-type'] ?? '')) return text === '' ? [] : [JSON.parse(text)];
  return eventsOf(text).filter((event) => event.data !== '').map((event) => JSON.parse(event.data));
}

function eventsOf(text) {
  return text.split('\n\n').filter((block) => block.trim() !== '' && !block.startsWith(':')).map((block) => {
    const event = { data: '' };
    for (const line of block.split('\n')) {
      const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
      if (name) event[name] = value;
    }
    return event;
  });
}

class Events {
  constructor(response) {
    this.response = response;
    this.text = '';
    response.stream.setEncoding('utf8');
    response.stream.on('data', (text) => (this.text += text));
    response.stream.on('close', () => (this.over = true));
  }

  get events() {
    return eventsOf(this.text.slice(0, this.text.lastIndexOf('\n\n') + 2));
  }

  get messages() {
    return this.events.filter((event) => event.data !== '').map((event) => JSON.parse(event.data));
  }

  async until(what, found) {
    await waitFor(what, () => this.messages.some(found));
    return this.messages.find(found);
  }

  close() {
    this.response.request.destroy();
  }
}

test('SDK clients use server-everything over stdio', async (t) => {
  const gate = await gateBefore(t, [stdioApp('everything', {}, [everything, 'stdio'])]);
  const url = gate.url('everything');
  const token = await gate.issuer.token(url);

  for (const kind of ['v1', 'legacy', 'auto']) {
    await t.test(kind, async (t) => {
      const client = await connectClient(t, kind, url, token);
      const { tools } = await client.listTools();
      assert.ok(tools.some((tool) => tool.name === 'echo'));
      assert.match(words(await client.callTool({ name: 'echo', arguments: { message: 'over pipes' } })), /over pipes/);
      const { resources } = await client.listResources();
      assert.ok(resources.length > 0);
      await client.close();
    });
  }
});

// What a client does with a server that makes use of everything, over HTTP and over pipes.
async function walk(t, kind, url, token) {
  const seen = { updated: 0, levels: new Set() };
  const client = await connectClient(t, kind, url, token, { capabilities: { sampling: {}, elicitation: {}, roots: {} } });
  const sample = async () => ({ model: 'm', role: 'assistant', content: { type: 'text', text: 'sampled' } });
  const elicit = async () => ({ action: 'decline' });
  client.setRequestHandler(kind === 'v1' ? CreateMessageRequestSchema : 'sampling/createMessage', sample);
  client.setRequestHandler(kind === 'v1' ? ElicitRequestSchema : 'elicitation/create', elicit);
  client.fallbackNotificationHandler = async ({ method }) => {
    if (method === 'notifications/resources/updated') seen.updated++;
  };
  const options = kind === 'v1' ? [undefined] : [];
  const call = async (name, args = {}, more) => words(await client.callTool({ name, arguments: args }, ...options, more));
  const progress = [];
  const result = {
    server: client.getServerVersion().name,
    tools: (await client.listTools()).tools.map((tool) => tool.name).sort(),
    resources: (await client.listResources()).resources.length,
    prompts: (await client.listPrompts()).prompts.map((prompt) => prompt.name).sort(),
    prompt: (await client.getPrompt({ name: 'simple-prompt' })).messages.length,
    echo: await call('echo', { message: 'hi' }),
    long: await call('trigger-long-running-operation', { duration: 0.2, steps: 4 }, { onprogress: (step) => progress.push(step.progress) }),
    sampled: /sampled/.test(await call('trigger-sampling-request', { prompt: 'p', maxTokens: 5 })),
    elicited: /declin/i.test(await call('trigger-elicitation-request')),
    unknown: await client.callTool({ name: 'no-such-tool', arguments: {} }, ...options).then((answer) => answer.isError, (error) => error.code),
  };
  // An SDK client may take the answer before the progress that came with it.
  result.progress = progress.slice(0, 3);
  await client.close();
  return result;
}

test('server-everything behaves over stdio as over its own HTTP', async (t) => {
  const http = await startEverything(t);
  const gate = await gateBefore(t, [stdioApp('stdio', {}, [everything, 'stdio']), { name: 'http', uri: http.uri }]);
  for (const kind of ['v1', 'legacy']) {
    await t.test(kind, async (t) => {
      const [overHttp, overPipes] = [
        await walk(t, kind, gate.url('http'), await gate.issuer.token(gate.url('http'))),
        await walk(t, kind, gate.url('stdio'), await gate.issuer.token(gate.url('stdio'))),
      ];
      assert.deepEqual(overPipes, overHttp);
      assert.ok(overPipes.sampled && overPipes.elicited);
      assert.deepEqual(overPipes.progress, [1, 2, 3]);
    });
  }
});

test('many sessions at once', async (t) => {
  const gate = await gateBefore(t, [
    stdioApp('everything', {}, [everything, 'stdio']),
    { name: 'demo', mcp: { command: GATEHOUSE, args: ['demo-server', '--stdio'], ...user, limits: { max_servers: 200 } } },
  ]);
  for (const [app, count, tool] of [['everything', 20, 'echo'], ['demo', 200, 'echo']]) {
    await t.test(`${count} of ${app}`, async () => {
      const token = await gate.issuer.token(gate.url(app));
      const sessions = [];
      // Ten at a time: it is the sessions that are many, not the starts.
      for (let i = 0; i < count; i += 10) {
        sessions.push(...await Promise.all(Array.from({ length: 10 }, () => Session.open(gate, app, token))));
      }
      assert.equal(servers(gate), count);
      const answers = await Promise.all(sessions.map((session, i) => session.call(tool, { message: `m${i}` })));
      answers.forEach(({ messages }, i) => assert.match(words(messages.at(-1).result), new RegExp(`m${i}$`)));
      await Promise.all(sessions.map((session) => request(session.url, { method: 'DELETE', headers: session.headers() })));
      await waitFor('no server is left', () => servers(gate) === 0, { deadline: 20_000 });
    });
  }
});

test('sessions by hand', async (t) => {
  const gate = await gateBefore(t, [stdioApp('one')]);
  const url = gate.url('one');
  const token = await gate.issuer.token(url);

  await t.test('one server each, which ends with DELETE', async () => {
    const first = await Session.open(gate, 'one', token);
    const second = await Session.open(gate, 'one', token);
    assert.notEqual(await who(first), await who(second));
    assert.equal(servers(gate), 2);
    const ended = await request(url, { method: 'DELETE', headers: first.headers() });
    assert.equal(ended.status, 204);
    await waitFor('its server ends', () => servers(gate) === 1);
    assert.equal((await first.call('who')).status, 404);
    assert.equal((await second.call('who')).status, 200);
  });

  await t.test('progress, and what the server asks', async () => {
    const session = await Session.open(gate, 'one', token);
    const counted = await session.call('count', { to: 3, delay: 5 }, { _meta: { progressToken: 'p' } });
    assert.deepEqual(counted.messages.map((message) => message.params?.progress ?? message.id), [1, 2, 3, 1]);
    assert.ok(counted.messages.slice(0, 3).every((message) => message.params.progressToken === 'p'));
    const events = await session.stream({ method: 'POST', body: JSON.stringify({
      jsonrpc: '2.0', id: 'q', method: 'tools/call', params: { name: 'ask', arguments: { method: 'sampling/createMessage' } } }) });
    const asked = await events.until('a question', (message) => message.method === 'sampling/createMessage');
    const accepted = await session.post({ id: asked.id, result: { said: 'yes' } });
    assert.equal(accepted.status, 202);
    const answer = await events.until('the answer', (message) => message.id === 'q');
    assert.equal(words(answer.result), '{"said":"yes"}');
  });

  await t.test('a GET stream, only one', async () => {
    const session = await Session.open(gate, 'one', token);
    const standing = await session.stream({ method: 'GET' });
    assert.equal(standing.response.status, 200);
    const second = await request(url, { headers: session.headers() });
    assert.equal(second.status, 409);
    standing.close();
    await waitFor('the stream is free', async () => {
      const again = await open(url, { headers: session.headers() });
      again.request.destroy();
      return again.status === 200;
    });
  });

  await t.test('a stream that was lost goes on where it was', async () => {
    const session = await Session.open(gate, 'one', token);
    const events = await session.stream({ method: 'POST', body: JSON.stringify({
      jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'count', arguments: { to: 40, delay: 10 }, _meta: { progressToken: 7 } } }) });
    assert.equal(events.events[0]?.data ?? '', '');
    await events.until('progress', (message) => message.params?.progress === 3);
    const seen = events.events.at(-1);
    events.close();
    const rest = await request(url, { headers: session.headers({ 'last-event-id': seen.id }) });
    assert.equal(rest.status, 200, rest.text);
    const first = JSON.parse(seen.data).params.progress;
    assert.deepEqual(messagesOf(rest).map((message) => message.params?.progress ?? 'answer'),
      [...Array.from({ length: 40 - first }, (_, i) => first + 1 + i), 'answer']);
  });

  await t.test('cancellation reaches the server', async () => {
    const session = await Session.open(gate, 'one', token);
    const events = await session.stream({ method: 'POST', body: JSON.stringify({
      jsonrpc: '2.0', id: 'long', method: 'tools/call', params: { name: 'count', arguments: { to: 1000, delay: 50 }, _meta: { progressToken: 1 } } }) });
    await events.until('progress', (message) => message.params?.progress === 1);
    await session.post({ method: 'notifications/cancelled', params: { requestId: 'long' } });
    await waitFor('the stream ends', () => events.over);
    assert.equal(words((await session.call('cancelled')).messages.at(-1).result), '1');
  });

  await t.test('a crash answers who waits, and ends the session', async () => {
    const session = await Session.open(gate, 'one', token);
    const { messages } = await session.call('crash');
    const { code, message } = messages.at(-1).error;
    assert.equal(code, -32603);
    const [, id] = /^the server ended; error id ([0-9a-f]{8})$/.exec(message);
    await waitFor('its last words', () => new RegExp(`error id ${id}: last words: I must go`).test(gate.log));
    assert.equal((await session.call('who')).status, 404);
    const next = await Session.open(gate, 'one', token);
    assert.equal((await next.call('echo', { message: 'again' })).status, 200);
  });

  await t.test('garbage between messages is passed over', async () => {
    const session = await Session.open(gate, 'one', token);
    assert.equal(words((await session.call('garbage')).messages.at(-1).result), 'said it');
    assert.equal(words((await session.call('echo', { message: 'after' })).messages.at(-1).result), 'after');
    await waitFor('a word in the log', () => /server_garbage.*app one/.test(gate.log));
  });

  await t.test('what it complains of is in the log, and bounded', async () => {
    const session = await Session.open(gate, 'one', token);
    await session.call('complain', { lines: 2000 });
    await waitFor('complaints', () => /server_stderr.*complaint 0/.test(gate.log));
    assert.ok(gate.log.match(/server_stderr.*complaint/g).length < 200);
  });

  await t.test('large answers', async () => {
    const session = await Session.open(gate, 'one', token);
    const { messages } = await session.call('large', { size: 3_000_000 });
    assert.equal(words(messages.at(-1).result).length, 3_000_000);
  });

  await t.test('the session of another caller is not found', async () => {
    const session = await Session.open(gate, 'one', token);
    const other = new Session();
    Object.assign(other, session, { token: await gate.issuer.token(url, { sub: 'mallory', email: 'mallory@example.com' }) });
    assert.equal((await other.call('who')).status, 404);
    assert.equal((await session.call('who')).status, 200);
  });
});

test('the bridge believes headers of workers alone', async (t) => {
  const gate = await gateBefore(t, [stdioApp('one')]);
  const token = await gate.issuer.token(gate.url('one'));
  const session = await Session.open(gate, 'one', token);
  const answer = await request(session.url, { method: 'POST',
    headers: session.headers({ 'gatehouse-app': 'other', 'gatehouse-owner': 'f'.repeat(64), 'Gatehouse_Owner': 'f'.repeat(64) }),
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'who' } }) });
  assert.equal(answer.status, 200, answer.text);
});

test('scopes', async (t) => {
  const gate = await gateBefore(t, [stdioApp('user', { scope: 'user' }), stdioApp('shared', { scope: 'shared' })]);
  const token = (app, sub) => gate.issuer.token(gate.url(app), { sub, email: `${sub}@example.com` });

  await t.test('user', async () => {
    const alice = await token('user', 'alice');
    const bob = await token('user', 'bob');
    const seen = [];
    for (const owner of [alice, alice, bob]) seen.push(await who(await Session.open(gate, 'user', owner)));
    assert.equal(seen[0], seen[1]);
    assert.notEqual(seen[0], seen[2]);
  });

  await t.test('shared, with the same ids at the same time', async () => {
    const sessions = await Promise.all(['alice', 'bob', 'carol'].map(async (owner) => Session.open(gate, 'shared', await token('shared', owner))));
    assert.equal(new Set(await Promise.all(sessions.map(who))).size, 1);
    const answers = await Promise.all(sessions.map((session, i) => session.call('count', { to: 3 + i, delay: 10 }, { _meta: { progressToken: 1 } })));
    answers.forEach(({ messages }, i) => {
      assert.equal(words(messages.at(-1).result), `counted to ${3 + i}`);
      assert.deepEqual(messages.slice(0, -1).map((message) => message.params.total), Array(3 + i).fill(3 + i));
    });
  });
});

test('both eras', async (t) => {
  const gate = await gateBefore(t, [
    stdioApp('both'),
    stdioApp('modern', { env: { ERA: 'modern' } }),
    stdioApp('legacy', { env: { ERA: 'legacy' } }),
  ]);
  const uses = [['both', 'modern'], ['both', 'auto'], ['both', 'v1'], ['modern', 'modern'], ['modern', 'auto'], ['legacy', 'auto'], ['legacy', 'v1']];
  for (const [app, kind] of uses) {
    await t.test(`a client ${kind} of a server ${app}`, async (t) => {
      const url = gate.url(app);
      const client = await connectClient(t, kind, url, await gate.issuer.token(url));
      assert.equal(words(await client.callTool({ name: 'echo', arguments: { message: 'hi' } })), 'hi');
      await client.close();
    });
  }
});

// Neither SDK's client says goodbye when it closes.
test('of clients that leave without a word nothing is left, ten seconds later', async (t) => {
  const gate = await gateBefore(t, [stdioApp('one', { env: { ERA: 'legacy' } }), { name: 'old', uri: (await startEverything(t, 'sse')).uri.replace('mcp+http', 'mcp+sse+http').replace(/mcp$/, 'sse') }]);
  const url = gate.url('one');
  const token = await gate.issuer.token(url);
  const clients = await Promise.all(['v1', 'legacy', 'auto'].map((kind) => connectClient(t, kind, url, token)));
  const old = await connectClient(t, 'v1', gate.url('old'), await gate.issuer.token(gate.url('old')));
  const killed = Connect.start(t, [url, '--token-env', 'TOKEN'], { env: { TOKEN: token } });
  await killed.initialize();
  for (const client of clients) assert.equal(words(await client.callTool({ name: 'echo', arguments: { message: 'hi' } })), 'hi');
  assert.ok((await killed.request('tools/list')).result);
  await waitFor('all sessions', async () => await gate.metric('bridge_sessions') === 5);
  assert.equal(servers(gate), 4);
  await Promise.all([...clients, old].map((client) => client.close()));
  killed.child.kill('SIGKILL');
  await waitFor('the servers to end', () => servers(gate) === 0, { deadline: 10_000 });
  await waitFor('the sessions to end', async () => await gate.metric('bridge_sessions') === 0, { deadline: 10_000 });

  // Whose worker dies has not left, and has its session when one who did has none.
  const session = await Session.open(gate, 'one', token);
  const standing = await session.stream({ method: 'GET' });
  for (const worker of gate.children('worker')) process.kill(worker.pid, 'SIGKILL');
  await waitFor('the stream breaks', () => standing.over);
  await gate.ready();
  const another = await connectClient(t, 'v1', url, token);
  assert.equal(servers(gate), 2);
  await another.close();
  await waitFor('the other server to end', () => servers(gate) === 1);
  assert.equal((await session.call('who')).status, 200);
});

test('caps are told in a sentence', async (t) => {
  const gate = await gateBefore(t, [stdioApp('one', { limits: { max_servers: 2 } })]);
  const token = await gate.issuer.token(gate.url('one'));
  await Session.open(gate, 'one', token);
  const second = await Session.open(gate, 'one', token);
  const third = await post(gate.url('one'), token, { body: INITIALIZE });
  assert.equal(third.status, 503);
  assert.match(third.text, /all the servers that this app may have are in use/);
  assert.ok(Number(third.headers['retry-after']) > 0);
  assert.equal(third.headers['gatehouse-error-origin'], 'gateway');
  await request(second.url, { method: 'DELETE', headers: second.headers() });
  await waitFor('room again', () => servers(gate) === 1);
  await Session.open(gate, 'one', token);
});

test('a server that cannot start is tried again later and later', async (t) => {
  const gate = await gateBefore(t, [stdioApp('broken', {}, ['-e', 'console.error("no way"); process.exit(1)'])]);
  const token = await gate.issuer.token(gate.url('broken'));
  // Once is an accident.
  for (let i = 0; i < 2; i++) {
    const early = await post(gate.url('broken'), token, { body: INITIALIZE });
    assert.match(early.text, /error id/);
    assert.equal(early.status, 200);
  }
  await waitFor('its last words', () => /server_last_words.*no way/.test(gate.log));
  const third = await post(gate.url('broken'), token, { body: INITIALIZE });
  assert.equal(third.status, 503);
  assert.match(third.text, /keeps failing/);
  assert.ok(Number(third.headers['retry-after']) > 0);
  await gate.logged(/server_keeps_failing: app broken: 2 servers in a row/);
});

// As an operator does it, or the kernel that is out of memory.
function killServers(gate) {
  for (const { pid } of gate.children('launcher').flatMap((launcher) => childrenOf(launcher.pid)).flatMap((guardian) => childrenOf(guardian.pid))) {
    process.kill(pid, 'SIGKILL');
  }
}

test('servers killed from outside are started again at once', async (t) => {
  const directory = temporaryDirectory();
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  const ready = join(directory, 'ready');
  const gate = await gateBefore(t, [
    stdioApp('one'), stdioApp('slow', {}, ['-e', `if (require('node:fs').existsSync(${JSON.stringify(ready)})) import(${JSON.stringify(own)}); else setInterval(() => {}, 1000);`]),
  ]);
  for (let i = 0; i < 4; i++) {
    const session = await Session.open(gate, 'one', await gate.issuer.token(gate.url('one')));
    assert.equal((await session.call('who')).status, 200);
    killServers(gate);
    await waitFor('its session to end', async () => (await session.call('who')).status === 404);
  }
  // And one that has answered nothing yet.
  const token = await gate.issuer.token(gate.url('slow'));
  const first = post(gate.url('slow'), token, { body: INITIALIZE });
  await waitFor('the server', () => /server_started: app slow/.test(gate.log));
  killServers(gate);
  assert.match((await first).text, /error id/);
  writeFileSync(ready, '');
  await Session.open(gate, 'slow', token);
});

test('what the bridge does is in the metrics, by app', async (t) => {
  const gate = await gateBefore(t, [stdioApp('one'), stdioApp('unused'), stdioApp('broken', {}, ['-e', 'process.exit(1)'])]);
  const of = async (name, app) => {
    const { text } = await request(`${gate.admin}/metrics`);
    return Number(new RegExp(`^gatehouse_${name}${app ? `\\{app="${app}"\\}` : ''} (\\d+)$`, 'm').exec(text)?.[1] ?? NaN);
  };
  const token = await gate.issuer.token(gate.url('one'));
  await Session.open(gate, 'one', token);
  const second = await Session.open(gate, 'one', token);
  await post(gate.url('broken'), await gate.issuer.token(gate.url('broken')), { body: INITIALIZE });
  await second.call('crash');
  await waitFor('its end', async () => await of('stdio_servers', 'one') === 1);
  assert.equal(await of('stdio_starts_total', 'one'), 2);
  assert.equal(await of('stdio_deaths_total', 'one'), 1);
  assert.equal(await of('stdio_failures_total', 'one'), 0);
  assert.equal(await of('stdio_failures_total', 'broken'), 1);
  assert.equal(await of('stdio_servers', 'unused'), 0);
  await waitFor('the sessions to be told', async () => await of('bridge_sessions') === 1);
  await waitFor('nothing to be queued', async () => await of('bridge_queued_lines') === 0);

  process.kill(gate.children('bridge')[0].pid, 'SIGKILL');
  await waitFor('none to run', async () => await of('stdio_servers', 'one') === 0);
  await waitFor('another bridge', () => gate.children('bridge').length === 1);
  await waitFor('it to serve', async () => (await post(gate.url('one'), token, { body: INITIALIZE })).status === 200);
  assert.ok(await of('stdio_starts_total', 'one') >= 3, 'the counters go on');
});

test("a worker's death costs a session nothing", async (t) => {
  const gate = await gateBefore(t, [stdioApp('one')], { workers: 2 });
  const session = await Session.open(gate, 'one', await gate.issuer.token(gate.url('one')));
  const before = await who(session);
  const events = await session.stream({ method: 'POST', body: JSON.stringify({
    jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'count', arguments: { to: 100, delay: 10 }, _meta: { progressToken: 7 } } }) });
  await events.until('progress', (message) => message.params?.progress === 3);
  for (const worker of gate.children('worker')) process.kill(worker.pid, 'SIGKILL');
  await waitFor('the stream breaks', () => events.over);
  await gate.ready();
  const seen = events.events.at(-1);
  const rest = await request(session.url, { headers: session.headers({ 'last-event-id': seen.id }) });
  assert.equal(rest.status, 200, rest.text);
  assert.equal(words(messagesOf(rest).at(-1).result), 'counted to 100');
  assert.equal(await who(session), before);
});

test("a bridge's death leaves no server, and clients begin anew", async (t) => {
  const gate = await gateBefore(t, [stdioApp('one')]);
  const token = await gate.issuer.token(gate.url('one'));
  const session = await Session.open(gate, 'one', token);
  assert.equal(servers(gate), 1);
  const [bridge] = gate.children('bridge');
  process.kill(bridge.pid, 'SIGKILL');
  await waitFor('the server ends', () => servers(gate) === 0);
  await waitFor('the session is not found', async () => (await session.call('who')).status === 404);
  const next = await Session.open(gate, 'one', token);
  assert.equal((await next.call('who')).status, 200);
});
