// MCP sessions belong to who began them: nobody else can name one, on any method.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, open, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, startEverything } from './harness/mcp.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const initialize = (version = '2025-11-25') => JSON.stringify({
  jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: version, capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});
const call = '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}';

// A server that begins a session with each initialize, in the version that it is asked for or another,
// and takes any id for proof.
function sessionServer(make = randomUUID, answerVersion = (asked) => asked, stream = false) {
  return Upstream.start(async (incoming, response, seen) => {
    seen.body = await body(incoming);
    if (incoming.method === 'DELETE') return response.writeHead(204).end();
    if (incoming.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('id: 1\ndata:\n\n');
      return undefined;
    }
    if (!seen.body.includes('"initialize"')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
    }
    const protocolVersion = answerVersion(JSON.parse(seen.body).params.protocolVersion);
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { protocolVersion, capabilities: {}, serverInfo: { name: 'a', version: '1' } } });
    response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json', 'mcp-session-id': make() });
    return response.end(stream ? `id: 0\ndata:\n\nid: 1\nevent: message\ndata: ${text}\n\n` : text);
  });
}

async function setUp(t, { make, answerVersion, stream, ...options } = {}) {
  const upstream = await sessionServer(make, answerVersion, stream);
  t.after(() => upstream.stop());
  const issuers = [await Issuer.make('https://one.example.com'), await Issuer.make('https://two.example.com')];
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }, { name: 'other', uri: upstream.uri }],
    resources: { 'issuers.yaml': issuers.map((issuer, i) => authConfig(`issuer-${i}`, issuer)) },
    ...options,
  });
  const url = gate.url('app');
  const alice = await issuers[0].token(url);
  const begin = async (version) => {
    const answer = await post(url, alice, { body: initialize(version) });
    assert.equal(answer.status, 200, answer.text);
    return answer.headers['mcp-session-id'];
  };
  const ask = (method, session, token = alice, address = url) => (method === 'POST'
    ? post(address, token, { body: call, headers: { 'mcp-session-id': session } })
    : request(address, { method, headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, 'mcp-session-id': session } }));
  return { upstream, gate, issuers, url, alice, begin, ask };
}

function assertLost(answer) {
  assert.equal(answer.status, 404, answer.text);
  assert.deepEqual(answer.json, { jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
}

test('a session is its owner\'s alone', async (t) => {
  const { upstream, gate, issuers, url, alice, begin, ask } = await setUp(t);
  const session = await begin();
  assert.equal((await ask('POST', session)).status, 200);
  upstream.requests.splice(0);
  const strangers = {
    'another subject': [await issuers[0].token(url, { sub: 'mallory', email: 'mallory@example.com' })],
    'the same subject of another issuer': [await issuers[1].token(url)],
    'the owner at another app': [await issuers[0].token(gate.url('other')), gate.url('other')],
    'the owner with another id': [alice, url, randomUUID()],
    'the owner with a longer id': [alice, url, `${session}x`],
    'the owner with no id': [alice, url, ''],
    'the owner with a very long id': [alice, url, 'x'.repeat(4000)],
  };
  for (const [who, [token, address, id]] of Object.entries(strangers)) {
    for (const method of ['POST', 'GET', 'DELETE']) {
      await t.test(`${who}: ${method}`, async () => {
        assertLost(await ask(method, id ?? session, token, address));
        assert.deepEqual(upstream.requests.splice(0), []);
      });
    }
  }
  await t.test('and the log says who tried', () => gate.logged(/mcp_session_foreign.*mallory@example\.com/));
  await t.test('the owner notices nothing, with a new token too', async () => {
    assert.equal((await ask('POST', session)).status, 200);
    assert.equal((await ask('POST', session, await issuers[0].token(url, { jti: randomUUID() }))).status, 200);
  });
  await t.test('its record says whose it is', async () => {
    const [[key, value]] = await gate.dump('sessions', 'mcp_sessions');
    assert.equal(key, `app/${session}`);
    for (const part of [session, 'https://one.example.com', 'alice@example.com', '127.0.0.1', String(upstream.port), '2025-11-25']) assert.ok(value.includes(part), part);
    assert.ok(!value.includes(alice));
  });
  await t.test('DELETE ends it', async () => {
    assert.equal((await ask('DELETE', session)).status, 204);
    upstream.requests.splice(0);
    assertLost(await ask('POST', session));
    assert.deepEqual(upstream.requests.splice(0), []);
    assert.deepEqual(await gate.dump('sessions', 'mcp_sessions'), []);
  });
});

test('a session that a server gives out twice stays its first owner\'s', async (t) => {
  const { issuers, url, begin, ask } = await setUp(t, { make: () => 'fixed' });
  assert.equal(await begin(), 'fixed');
  const second = await post(url, await issuers[0].token(url, { sub: 'mallory' }), { body: initialize() });
  assert.equal(second.status, 502);
  assert.equal(second.headers['mcp-session-id'], undefined);
  assert.equal(second.json.id, 1);
  assert.equal(await begin(), 'fixed');
  assert.equal((await ask('POST', 'fixed')).status, 200);
});

test('a session of an invalid id begins not', async (t) => {
  const { url, alice } = await setUp(t, { make: () => 'with space' });
  assert.equal((await post(url, alice, { body: initialize() })).status, 502);
});

test('a session of two ids begins not', async (t) => {
  const { gate, url, alice } = await setUp(t, { make: () => ['one', 'two'] });
  const answer = await post(url, alice, { body: initialize() });
  assert.equal(answer.status, 502, answer.text);
  assert.equal(answer.headers['mcp-session-id'], undefined);
  assert.deepEqual(await gate.dump('sessions', 'mcp_sessions'), []);
});

test('batches belong to sessions of 2025-03-26', async (t) => {
  const { url, alice, begin } = await setUp(t);
  const batch = async (session, version) => (await post(url, alice, {
    body: `[${call}]`, headers: { 'mcp-session-id': session, ...(version ? { 'mcp-protocol-version': version } : {}) },
  })).status;
  assert.equal(await batch(await begin('2025-03-26')), 200);
  assert.equal(await batch(await begin('2025-03-26'), '2025-06-18'), 400);
  assert.equal(await batch(await begin('2025-06-18')), 400);
});

for (const stream of [false, true]) {
  test(`a session is of the version that its server named, in ${stream ? 'an event stream' : 'a document'}`, async (t) => {
    let named = '2025-06-18';
    const { gate, url, alice, begin, upstream } = await setUp(t, { stream, answerVersion: () => named });
    const send = async (text, session, version) => (await post(url, alice, {
      body: text, headers: { 'mcp-session-id': session, ...(version ? { 'mcp-protocol-version': version } : {}) },
    })).status;
    const recorded = async () => (await gate.dump('sessions', 'mcp_sessions')).map(([, value]) => / version=\d+:(\S*) /.exec(value)[1]);

    const newer = await begin('2025-03-26');
    assert.deepEqual(await recorded(), ['2025-06-18']);
    upstream.requests.splice(0);
    assert.equal(await send(`[${call}]`, newer), 400);
    assert.equal(await send(`[${call}]`, newer, '2025-03-26'), 400, 'a header cannot widen it');
    assert.deepEqual(upstream.requests, []);
    // Real servers take any version that they know; so what is no batch goes on as it is.
    assert.equal(await send(call, newer, '2025-03-26'), 200);
    assert.equal(upstream.requests[0].headers['mcp-protocol-version'], '2025-03-26');

    named = '2025-03-26';
    const older = await begin('2025-11-25');
    assert.equal(await send(`[${call}]`, older), 200);
    assert.equal(await send(`[${call}]`, older, '2025-11-25'), 400);

    for (const nothing of [17, '', 'a b', 'x'.repeat(100), undefined]) {
      named = nothing;
      const unknown = await begin('2025-03-26');
      assert.equal(await send(call, unknown), 200);
      assert.equal(await send(`[${call}]`, unknown, '2025-03-26'), 400);
    }
    assert.deepEqual((await recorded()).sort(), ['', '', '', '', '', '2025-03-26', '2025-06-18']);
  });
}

test('a session goes to no other server than the one that made it', async (t) => {
  const { gate, begin, ask, url, alice } = await setUp(t);
  const session = await begin();
  const other = await sessionServer();
  t.after(() => other.stop());
  gate.settings.app_service.apps[0].uri = other.uri;
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('the app to move', async () => (await post(url, alice)).status === 200 && other.requests.length > 0);
  assertLost(await ask('POST', session));
  assert.ok(other.requests.every(({ headers }) => headers['mcp-session-id'] === undefined));
  assert.equal((await ask('POST', await begin())).status, 200);
});

test('a session ends with its app, and an app of the same name later does not have it', async (t) => {
  const { gate, begin, ask } = await setUp(t);
  const session = await begin();
  const { apps } = gate.settings.app_service;
  const offer = async (offered, status) => {
    gate.settings.app_service.apps = offered;
    gate.writeSettings();
    gate.signal('SIGHUP');
    await waitFor(`the app to answer ${status}`, async () => (await ask('POST', session)).status === status);
  };
  await offer(apps.slice(1), 401);
  await offer(apps, 404);
  assertLost(await ask('GET', session));
  assert.equal((await ask('POST', await begin())).status, 200);
});

test('sessions outlive workers and the gate', async (t) => {
  const { gate, begin, ask, issuers, url } = await setUp(t);
  const session = await begin();
  for (const { pid } of gate.children('worker')) process.kill(pid, 'SIGKILL');
  await gate.ready();
  await waitFor('the owner to be served', async () => (await ask('POST', session).catch(() => ({}))).status === 200);
  assertLost(await ask('POST', session, await issuers[0].token(url, { sub: 'mallory' })));
  await gate.stop();
  await gate.run();
  assert.equal((await ask('POST', session)).status, 200);
  assertLost(await ask('POST', session, await issuers[0].token(url, { sub: 'mallory' })));
});

test('a session ends when nobody uses it, but not while a stream is open', async (t) => {
  const { upstream, gate, url, alice, begin, ask } = await setUp(t, { limits: { mcp_session_idle: '1s' } });
  const [idle, used] = [await begin(), await begin()];
  const stream = await open(url, { headers: { ...MCP_HEADERS, authorization: `Bearer ${alice}`, 'mcp-session-id': used } });
  stream.stream.resume();
  t.after(() => stream.stream.destroy());
  await waitFor('the idle one to be swept', async () => (await gate.dump('sessions', 'mcp_sessions')).length === 1);
  upstream.requests.splice(0);
  assertLost(await ask('POST', idle));
  assert.deepEqual(upstream.requests, []);
  assert.equal((await ask('POST', used)).status, 200);
});

test('sessions of a real server', async (t) => {
  const server = await startEverything(t);
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: server.uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
  });
  const url = gate.url('app');
  const client = await connectClient(t, 'v1', url, await issuer.token(url));
  const { sessionId } = client.transport;
  const thief = await issuer.token(url, { sub: 'mallory', email: 'mallory@example.com' });
  const stolen = await post(url, thief, { body: call, headers: { 'mcp-session-id': sessionId } });
  assertLost(stolen);
  assert.ok((await client.listTools()).tools.length > 0);
  await client.transport.terminateSession();
  assert.deepEqual(await gate.dump('sessions', 'mcp_sessions'), []);
});
