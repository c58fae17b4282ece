// on_endpoint_loss: reinitialize. MCP sessions go on at another server when theirs is lost, and their
// clients notice nothing.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { MCP_HEADERS, Raw, open, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Load } from './harness/load.mjs';
import { connectClient, startEverything } from './harness/mcp.mjs';
import { SessionServer } from './harness/session_server.mjs';
import { waitFor } from './harness/wait.mjs';

const initializeWith = (more = {}) => JSON.stringify({
  jsonrpc: '2.0', id: 'first', method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' }, ...more },
});
const initialized = '{"jsonrpc":"2.0","method":"notifications/initialized"}';
const call = (id = 7) => JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'echo', arguments: { message: 'x' } } });
const shortHash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16);

async function gateOf(t, uris, { app = {}, resources, claims = {}, ...options } = {}) {
  const issuer = await Issuer.make('https://one.example.com');
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', endpoints: uris, health_check: { type: 'off' }, on_endpoint_loss: 'reinitialize', ...app }],
    resources: resources?.(issuer) ?? { 'issuer.yaml': [authConfig('issuer', issuer)] },
    gate: { audit: { output: 'audit.jsonl' } },
    ...options,
  });
  const url = gate.url('app');
  return { gate, issuer, url, token: await issuer.token(url, claims) };
}

async function setUp(t, count, { servers: serverOptions = {}, ...options } = {}) {
  const each = Array.isArray(serverOptions) ? serverOptions : Array.from({ length: count }, () => serverOptions);
  const servers = await Promise.all(each.map((one, i) => SessionServer.start(t, 'abc'[i], one)));
  const made = await gateOf(t, servers.map(({ uri }) => uri), options);
  const { gate, url, token } = made;
  const ask = (text, session, { headers = {}, by = token } = {}) => post(url, by, { body: text, headers: { ...(session && { 'mcp-session-id': session }), 'mcp-protocol-version': '2025-11-25', ...headers } });
  const other = (method, session, headers = {}, by = token) => request(url, { method, headers: { ...MCP_HEADERS, authorization: `Bearer ${by}`, 'mcp-session-id': session, ...headers } });
  // A session, and the server that has it.
  const begin = async (more) => {
    const answer = await post(url, token, { body: initializeWith(more) });
    assert.equal(answer.status, 200, answer.text);
    const session = answer.headers['mcp-session-id'];
    assert.equal((await ask(initialized, session)).status, 202);
    const home = servers.find(({ sessions }) => sessions.has(session));
    return { session, home, others: servers.filter((server) => server !== home) };
  };
  const served = async (session, id) => {
    const answer = await ask(call(id), session);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['mcp-session-id'], session, 'the client knows one id');
    return answer.headers['x-server'];
  };
  const trail = () => {
    const path = join(gate.directory, 'audit.jsonl');
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : [];
  };
  const records = async () => (await gate.dump('sessions', 'mcp_sessions')).map(([, value]) => value);
  return { ...made, servers, ask, other, begin, served, trail, records };
}

function assertLost(answer) {
  assert.equal(answer.status, 404, answer.text);
  assert.equal(answer.json.error.code, -32001);
}

for (const kind of ['v1', 'legacy']) {
  test(`a real client (${kind}) notices nothing when the real server of its session is killed`, { timeout: 120_000 }, async (t) => {
    const servers = await Promise.all([startEverything(t), startEverything(t)]);
    const { gate, url, token } = await gateOf(t, servers.map(({ uri }) => uri));
    const client = await connectClient(t, kind, url, token);
    const { sessionId } = client.transport;
    const echo = async (message) => assert.match((await client.callTool({ name: 'echo', arguments: { message } })).content[0].text, new RegExp(message));
    await echo('one');
    const [[, record]] = await gate.dump('sessions', 'mcp_sessions');
    const home = servers.find(({ port }) => record.includes(`port=${String(port).length}:${port} `));
    home.program.kill('SIGKILL');
    await home.program.exited;
    await echo('two');
    assert.ok((await client.listTools()).tools.length > 0);
    assert.equal(client.transport.sessionId, sessionId);
    assert.equal(await gate.metric('mcp_sessions_reinitialized_total'), 1);
    assert.equal(await gate.metric('mcp_sessions_reinitialize_failed_total'), 0);
    await client.transport.terminateSession();
    assert.deepEqual(await gate.dump('sessions', 'mcp_sessions'), []);
  });

  test(`a real client (${kind}) notices nothing when the only server is started anew`, { timeout: 120_000 }, async (t) => {
    const server = await startEverything(t);
    const { gate, url, token } = await gateOf(t, [server.uri]);
    const client = await connectClient(t, kind, url, token);
    const { sessionId } = client.transport;
    server.program.kill('SIGKILL');
    await server.program.exited;
    await startEverything(t, 'streamableHttp', server.port);
    assert.equal((await client.callTool({ name: 'echo', arguments: { message: 'again' } })).content[0].text, 'Echo: again');
    assert.equal(client.transport.sessionId, sessionId);
    assert.equal(await gate.metric('mcp_sessions_reinitialized_total'), 1);
  });
}

test('what is sent to the other server, what is on record, and what is told', async (t) => {
  const { gate, token, begin, served, other, trail, records } = await setUp(t, 2);
  const { session, home, others: [heir] } = await begin();
  assert.equal(await served(session), home.name);
  assert.equal(heir.requests.length, 0);
  await home.kill();
  assert.equal(await served(session, 8), heir.name);
  assert.equal(JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout).apps[0].on_endpoint_loss, 'reinitialize');
  const [opening, told, asked] = heir.requests;
  assert.deepEqual(opening.message, JSON.parse(initializeWith()));
  assert.equal(opening.id, undefined);
  assert.equal(opening.headers['mcp-protocol-version'], undefined);
  assert.equal(opening.headers.authorization, undefined);
  assert.match(opening.headers.accept, /application\/json.*text\/event-stream/);
  assert.equal(told.message.method, 'notifications/initialized');
  assert.equal(told.headers['mcp-protocol-version'], '2025-11-25');
  assert.deepEqual(asked.message, JSON.parse(call(8)));
  const [newId] = heir.sessions.keys();
  assert.equal(told.id, newId);
  assert.equal(asked.id, newId);
  const [record] = await records();
  for (const part of [` id=36:${session} `, ` upstream=36:${newId} `, `:${heir.port} `]) assert.ok(record.includes(part), part);
  assert.ok(!record.includes(token));
  // Clients do not learn the new id, and cannot use it.
  assertLost(await other('GET', newId));
  const hash = shortHash(session);
  await waitFor('the lines', () => trail().filter(({ event }) => event === 'request').length >= 3);
  assert.ok(trail().filter(({ mcp_session: id }) => id !== undefined).every(({ mcp_session: id }) => [hash, shortHash(newId)].includes(id)));
  const [line, ...more] = trail().filter(({ event }) => event === 'mcp_session_reopen');
  assert.deepEqual(more, []);
  assert.equal(line.mcp_session, hash);
  assert.equal(line.endpoint, `127.0.0.1:${heir.port}`);
  assert.equal(line.app, 'app');
  assert.ok(line.user);
  assert.equal(trail().filter(({ event, mcp_session: id }) => event === 'request' && id === hash).at(-1).endpoint, `127.0.0.1:${heir.port}`);
  await gate.logged(/mcp_session_reopened/);
  // DELETE ends it where it is now.
  assert.equal((await other('DELETE', session)).status, 204);
  assert.deepEqual(heir.ended, [newId]);
  assert.deepEqual(await records(), []);
});

test('an event stream answers initialize, and a session moves more than once', async (t) => {
  const { servers, begin, served, ask } = await setUp(t, 3, { servers: { stream: true } });
  const { session, home } = await begin();
  for (const server of servers) server.open = true;
  let now = home;
  for (let i = 0; i < 2; i++) {
    await now.kill();
    const name = await served(session, i);
    now = servers.find((server) => server.name === name);
  }
  for (const server of servers) if (!server.listening) await server.revive();
  await now.kill();
  // Those that were dead are left alone for a while (endpoint.h): until then it is 503, and the session waits.
  await waitFor('a server to be tried again', async () => (await ask(call(9), session)).status === 200);
  assert.notEqual(await served(session, 10), now.name);
});

test('any worker finds the session, also when all were killed in between', async (t) => {
  const { gate, begin, served } = await setUp(t, 2, { workers: 2 });
  const sessions = [];
  for (let i = 0; i < 4; i++) sessions.push(await begin());
  const [{ home, others: [heir] }] = sessions;
  const killWorkers = async () => {
    for (const { pid } of gate.children('worker')) process.kill(pid, 'SIGKILL');
    await gate.ready();
  };
  await killWorkers();
  await home.kill();
  for (const { session } of sessions) await waitFor('an answer', () => served(session).then((name) => name === heir.name, (error) => error.code === 'ERR_ASSERTION' && assert.fail(error)));
  await killWorkers();
  // Each request on a connection of its own: both workers serve.
  for (let i = 0; i < 20; i++) for (const { session } of sessions) assert.equal(await served(session), heir.name);
  assert.ok(heir.began <= 4, 'none was opened twice');
});

for (const workers of [1, 2]) {
  for (const restart of [false, true]) {
    test(`twenty requests at once find the loss (${workers} workers, ${restart ? 'a server that was started anew' : 'another server'})`, async (t) => {
      const { gate, servers, begin, ask } = await setUp(t, restart ? 1 : 2, { workers });
      const { session, home, others } = await begin();
      const heir = restart ? home : others[0];
      await home.kill();
      if (restart) await home.revive();
      const before = heir.began;
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(call(i), session)));
      assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
      assert.ok(answers.every(({ headers }) => headers['mcp-session-id'] === session && headers['x-server'] === heir.name));
      assert.deepEqual(servers.flatMap(({ calls }) => calls).sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i), 'each ran once');
      assert.equal(await gate.metric('mcp_sessions_reinitialized_total'), 1);
      assert.ok(heir.began - before <= workers, `${heir.began - before} sessions`);
      // Who came second ended what it had begun.
      await waitFor('one session', () => heir.sessions.size === 1);
    });
  }
}

test('what a server may have run goes to no other', async (t) => {
  const { begin, ask, served, servers } = await setUp(t, 2, {
    servers: { before: (message, response, server) => message.id === 'deadly' && server.kill().then(() => true) },
  });
  const { session, home, others: [heir] } = await begin();
  await served(session);
  const lost = await ask(call('deadly'), session);
  assert.equal(lost.status, 502, lost.text);
  assert.equal(lost.json.id, 'deadly');
  assert.equal(await served(session, 9), heir.name);
  assert.equal(servers.flatMap(({ requests }) => requests).filter(({ message }) => message.id === 'deadly').length, 1);
  assert.equal(home.listening, false);
});

for (const [what, options] of Object.entries({
  'other capabilities': { capabilities: { tools: {} } },
  'another name': { serverInfo: { name: 'other', version: '1' } },
  'another version of it': { serverInfo: { name: 'server', version: '2' } },
  'another version of the protocol': { version: '2025-06-18' },
  'a refusal': { before: (message, response, server) => message.method === 'initialize' && (server.json(response, 200, { jsonrpc: '2.0', id: message.id, error: { code: -32602, message: 'no' } }), true) },
  'a 4xx': { before: (message, response) => message.method === 'initialize' && (response.writeHead(400).end(), true) },
  'no session': { before: (message, response, server) => message.method === 'initialize' && (server.json(response, 200, { jsonrpc: '2.0', id: message.id, result: { protocolVersion: '2025-11-25', capabilities: { logging: {}, tools: {} }, serverInfo: { version: '1', name: 'server' } } }), true) },
})) {
  test(`a session ends when the only other server has ${what}`, async (t) => {
    const [first, second] = await Promise.all([SessionServer.start(t, 'a'), SessionServer.start(t, 'b', options)]);
    const made = await setUp(t, 0, { servers: [], app: { endpoints: [first.uri] } });
    const { gate, url, token, trail } = made;
    const session = (await post(url, token, { body: initializeWith() })).headers['mcp-session-id'];
    gate.settings.app_service.apps[0].endpoints = [second.uri];
    gate.writeSettings();
    await first.kill();
    gate.signal('SIGHUP');
    // Before the app names the other server there is none: the session waits.
    const answer = await waitFor('the other server to be asked', async () => {
      const each = await made.ask(call(), session);
      return each.status !== 503 && each;
    });
    assertLost(answer);
    assert.equal(answer.json.id, 7);
    assert.deepEqual(await made.records(), []);
    await waitFor('its session to be ended', () => second.sessions.size === 0);
    assert.equal(second.calls.length, 0);
    const [line] = await waitFor('the line', () => {
      const lines = trail().filter(({ event }) => event === 'mcp_session_end');
      return lines.length > 0 && lines;
    });
    assert.match(line.reason, /the other server/);
    assert.equal(line.mcp_session, shortHash(session));
    assert.equal(await gate.metric('mcp_sessions_reinitialized_total'), 0);
    assert.ok(await gate.metric('mcp_sessions_reinitialize_failed_total') >= 1);
  });
}

test('a session follows its app when that names another server', async (t) => {
  const heir = await SessionServer.start(t, 'c');
  const { gate, begin, served } = await setUp(t, 1);
  const { session, home } = await begin();
  gate.settings.app_service.apps[0].endpoints = [heir.uri];
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('the app to move', async () => (await served(session)) === 'c');
  assert.equal(home.listening, true);
});

test('a session leaves a server that the probes found dead, while another lives', async (t) => {
  const { gate, begin, served } = await setUp(t, 2, {
    servers: { before: (message, response, server, incoming) => incoming.url === '/alive' && (response.writeHead(server.sick ? 500 : 200).end(), true) },
    app: { health_check: { type: 'http', path: '/alive', interval: '100ms', fall: 1 } },
  });
  const { session, home, others: [heir] } = await begin();
  assert.equal(await served(session), home.name);
  home.sick = true;
  await waitFor('one dead', async () => await gate.metric('endpoints_dead') === 1);
  assert.equal(await served(session), heir.name);
  // When none is better it stays.
  heir.sick = true;
  await waitFor('both dead', async () => await gate.metric('endpoints_dead') === 2);
  assert.equal(await served(session), heir.name);
  assert.equal(await gate.metric('mcp_sessions_reinitialized_total'), 1);
});

for (const [how, unknown] of Object.entries({
  404: undefined,
  '400 in JSON': [400, { jsonrpc: '2.0', error: { code: -32000, message: 'Bad Request: No valid session ID provided' }, id: null }],
  '400 in plain text': [400, 'Invalid or missing session ID'],
})) {
  test(`a server that was started anew says ${how}: it has the session again`, async (t) => {
    const { begin, served, other, records } = await setUp(t, 1, { servers: { unknown } });
    const { session, home } = await begin();
    await home.kill();
    await home.revive();
    assert.equal(await served(session), 'a');
    assert.equal(home.sessions.size, 1);
    // And for DELETE there is nothing to begin again.
    await home.kill();
    await home.revive();
    const { began } = home;
    assert.equal((await other('DELETE', session)).status, 200);
    assert.equal(home.began, began);
    assert.deepEqual(await records(), []);
  });
}

test('another 400 is the client\'s, and a server that forgets at once is asked no more than once', async (t) => {
  let forgets = false;
  const { gate, begin, ask } = await setUp(t, 1, {
    servers: {
      before: (message, response, server) => {
        if (message.params?.name === 'bad') return server.json(response, 400, { jsonrpc: '2.0', id: message.id, error: { code: -32000, message: 'Bad Request' } }) ?? true;
        if (forgets && message.method === 'tools/call') return server.json(response, 404, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }) ?? true;
        return false;
      },
    },
  });
  const { session, home } = await begin();
  const bad = await ask(JSON.stringify({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: 'bad' } }), session);
  assert.equal(bad.status, 400);
  assert.equal(bad.json.error.message, 'Bad Request');
  assert.equal(home.began, 1);
  forgets = true;
  assertLost(await ask(call(), session));
  assert.equal(home.began, 2);
  assert.equal(await gate.metric('mcp_sessions_reinitialized_total'), 1);
});

test('DELETE of a lost session ends it, and asks no server', async (t) => {
  const { begin, other, records, servers, trail } = await setUp(t, 2);
  const { session, home, others: [heir] } = await begin();
  await home.kill();
  const answer = await other('DELETE', session);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(heir.requests.length, 0);
  assert.deepEqual(await records(), []);
  assertLost(await other('DELETE', session));
  assert.equal(servers.length, 2);
  await waitFor('the line', () => trail().some(({ event, reason }) => event === 'mcp_session_end' && reason === 'the client deleted it'));
});

test('the stream of a lost session ends, and comes back at the other server', async (t) => {
  const { url, token, begin } = await setUp(t, 2);
  const { session, home, others: [heir] } = await begin();
  const listen = (headers = {}) => open(url, { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}`, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25', ...headers } });
  const stream = await listen();
  assert.equal(stream.headers['mcp-session-id'], session);
  const ended = new Promise((resolve) => stream.stream.once('close', resolve));
  stream.stream.resume();
  await waitFor('the stream', () => home.streams.size === 1);
  await home.kill();
  await ended;
  const again = await listen({ 'last-event-id': `${home.name}-0` });
  assert.equal(again.status, 200);
  assert.equal(again.headers['mcp-session-id'], session);
  let text = '';
  again.stream.setEncoding('utf8').on('data', (part) => (text += part));
  await waitFor('the stream', () => heir.streams.size === 1);
  assert.equal(heir.requests.find(({ method }) => method === 'GET').headers['last-event-id'], undefined, 'it names an event of the lost server');
  heir.notify('hello');
  await waitFor('the event', () => text.includes('hello'));
  again.stream.destroy();
});

test('a stream that a living server still holds ends when the session has moved', async (t) => {
  const heir = await SessionServer.start(t, 'c');
  const { gate, url, token, begin, served } = await setUp(t, 1, { limits: { stream_keepalive: '100ms' }, workers: 2 });
  const { session, home } = await begin();
  const stream = await open(url, { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}`, 'mcp-session-id': session } });
  const ended = stream.text();
  await waitFor('the stream', () => home.streams.size === 1);
  gate.settings.app_service.apps[0].endpoints = [heir.uri];
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('the app to move', async () => (await served(session)) === 'c');
  assert.match(await ended, /Stream ended: its session goes on at another server/);
  assert.equal(home.listening, true);
});

test('a 404 to a GET or a DELETE is believed when it speaks of a session', async (t) => {
  const { begin, other, servers: [server], served } = await setUp(t, 1, {
    servers: { before: (message, response, self, incoming) => incoming.method !== 'POST' && (response.writeHead(404, { 'content-type': 'text/plain', 'content-length': 9 }).end('not found'), true) },
  });
  const { session } = await begin();
  for (const method of ['GET', 'DELETE']) assert.equal((await other(method, session)).text, 'not found');
  assert.equal(server.began, 1);
  await served(session);
});

test('an SDK client hears notifications again after the loss', { timeout: 60_000 }, async (t) => {
  const { gate, url, token, servers } = await setUp(t, 2);
  const client = await connectClient(t, 'v1', url, token);
  const heard = [];
  client.fallbackNotificationHandler = async ({ params }) => heard.push(params.data);
  await waitFor('the stream', () => servers.some(({ streams }) => streams.size === 1));
  const home = servers.find(({ streams }) => streams.size === 1);
  const heir = servers.find((server) => server !== home);
  home.notify('one');
  await waitFor('the first', () => heard.includes('one'));
  await home.kill();
  assert.equal((await client.callTool({ name: 'x', arguments: {} })).content[0].text, heir.name);
  await waitFor('the stream to come back', () => heir.streams.size === 1, { deadline: 20_000 });
  heir.notify('two');
  await waitFor('the second', () => heard.includes('two'));
  assert.equal(await gate.metric('mcp_sessions_reinitialized_total'), 1);
});

test('a session is its owner\'s alone, before and after the move', async (t) => {
  const { issuer, url, begin, ask, other, served } = await setUp(t, 2);
  const mallory = await issuer.token(url, { sub: 'mallory', email: 'mallory@example.com' });
  const { session, home, others: [heir] } = await begin();
  const foreign = async () => {
    assertLost(await ask(call(), session, { by: mallory }));
    for (const method of ['GET', 'DELETE']) assertLost(await other(method, session, {}, mallory));
  };
  await home.kill();
  await foreign();
  assert.equal(heir.requests.length, 0, 'a stranger opens nothing');
  assert.equal(await served(session), heir.name);
  await foreign();
  assert.equal(await served(session), heir.name);
});

for (const [what, more] of Object.entries({
  'is too long': { clientInfo: { name: 'x'.repeat(5000), version: '1' } },
  'has a token in it': { _meta: { key: 'eyJhbGciOiJub25lIn0.e30.' } },
})) {
  test(`a session whose initialize ${what} is not recorded, and ends with its server`, async (t) => {
    const { begin, ask, records } = await setUp(t, 2);
    const { session, home, others: [heir] } = await begin(more);
    assert.ok(!(await records())[0].includes('opening='));
    await home.kill();
    assertLost(await ask(call(), session));
    assert.equal(heir.requests.length, 0);
  });
}

test('without a server the session waits, and a request waits no longer than the setting', async (t) => {
  let hangs = true;
  const { gate, begin, ask, served } = await setUp(t, 2, {
    limits: { reinitialize_timeout: '500ms' },
    servers: { before: (message, response, server) => message.method === 'initialize' && hangs && server.began > 0 && new Promise(() => {}) },
  });
  hangs = false;
  const first = await begin();
  const { home, others: [heir] } = first;
  heir.began += 1;
  hangs = true;
  await home.kill();
  const began = performance.now();
  const answer = await ask(call(), first.session);
  assert.equal(answer.status, 503, answer.text);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  assert.ok(performance.now() - began < 5000);
  await heir.kill();
  assert.equal((await ask(call(), first.session)).status, 503);
  hangs = false;
  await heir.revive();
  await waitFor('the session to go on', () => ask(call(), first.session).then(({ status }) => status === 200));
  assert.equal(await served(first.session), heir.name);
  assert.ok(await gate.metric('mcp_sessions_reinitialize_failed_total') >= 2);
});

test('a client that leaves does not stop what others wait for', async (t) => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const { gate, token, begin, ask } = await setUp(t, 2, {
    workers: 1,
    servers: { before: async (message, response, server) => { if (message.method === 'initialize' && server.late) await held; return false; } },
  });
  const { session, home, others: [heir] } = await begin();
  heir.late = true;
  await home.kill();
  const leaving = await Raw.open(gate.port);
  leaving.write(`POST /mcp/apps/app HTTP/1.1\r\nHost: 127.0.0.1:${gate.port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
    + `Accept: application/json, text/event-stream\r\nMcp-Session-Id: ${session}\r\nContent-Length: ${call(1).length}\r\n\r\n${call(1)}`);
  await waitFor('the initialize', () => heir.requests.length === 1);
  const staying = ask(call(2), session);
  await waitFor('both to wait', async () => await gate.metric('exchanges') === 2);
  leaving.socket.destroy();
  await waitFor('one to leave', async () => await gate.metric('exchanges') === 1);
  release();
  const answer = await staying;
  assert.equal(answer.status, 200, answer.text);
  assert.equal(heir.began, 1);
  assert.deepEqual(heir.calls, [2]);
});

// A request waits for its session at a server that does not answer initialize before it is told to, while the caller is shut
// out. `watcher`: the token of a stream that ends for the same reason: then the worker has judged all requests anew.
async function shutOutWhileWaiting(t, options, change) {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const made = await setUp(t, 2, {
    workers: 1,
    servers: { before: async (message, response, server) => { if (message.method === 'initialize' && server.late) await held; return false; } },
    ...options,
  });
  const { url, issuer, token, begin, ask } = made;
  const watcher = options.watcher ? await issuer.token(url, options.watcher) : token;
  const { session, home, others: [heir] } = await begin();
  const watched = await waitFor('a session on the other server', async () => {
    const answer = await post(url, watcher, { body: initializeWith() });
    const id = answer.headers['mcp-session-id'];
    return heir.sessions.has(id) && id;
  });
  const stream = await open(url, { headers: { accept: 'text/event-stream', authorization: `Bearer ${watcher}`, 'mcp-session-id': watched } });
  const ended = stream.text();
  heir.late = true;
  await home.kill();
  const before = heir.requests.length;
  const waiting = ask(call(), session);
  await waitFor('the initialize', () => heir.requests.length > before);
  await change(made);
  await ended;
  release();
  const answer = await waiting;
  assert.deepEqual(heir.calls, []);
  return answer;
}

test('who is revoked while a request waits is refused', async (t) => {
  const answer = await shutOutWhileWaiting(t, {}, async ({ gate }) => {
    const done = await gatehouse('sessions', 'revoke', '--app', 'app', '-c', gate.settingsPath);
    assert.equal(done.status, 0, done.output);
  });
  assert.equal(answer.status, 401, answer.text);
  assert.match(answer.headers['www-authenticate'], /invalid_token/);
});

test('what roles forbid while a request waits is refused', async (t) => {
  const role = (name, tools) => ({ version: 'v1', kind: 'role', metadata: { name }, spec: { allow: { app_labels: { '*': '*' }, mcp: { tools } } } });
  const answer = await shutOutWhileWaiting(t, {
    claims: { groups: ['stays'] },
    watcher: { sub: 'bob', email: 'bob@example.com', groups: ['goes'] },
    resources: (issuer) => ({
      'issuer.yaml': [authConfig('issuer', issuer, { jwt: { claims_to_roles: ['stays', 'goes'].map((name) => ({ claim: 'groups', value: name, roles: [name] })) } })],
      'roles.yaml': [role('stays', ['*']), role('goes', ['*'])],
    }),
  }, ({ gate }) => gate.writeResource('roles.yaml', role('stays', ['other'])));
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.error.code, -32602);
  assert.match(answer.json.error.message, /Unknown tool/);
});

test('sessions under load outlive servers and workers that come and go', { timeout: 120_000 }, async (t) => {
  const { gate, url, token, servers, begin } = await setUp(t, 3, { workers: 2, limits: { reinitialize_timeout: '5s' } });
  const sessions = await Promise.all(Array.from({ length: 12 }, async () => (await begin()).session));
  const wrong = [];
  let id = 0;
  const load = new Load(t, 16, async (agent) => {
    id += 1;
    const own = id;
    const session = sessions[own % sessions.length];
    const answer = await post(url, token, { agent, body: call(own), headers: { 'mcp-session-id': session } });
    // 502: it was sent in full to a server that died; 503: no server is taken for alive just now.
    if (![200, 502, 503].includes(answer.status)) wrong.push(`${answer.status} ${answer.text}`);
    if (answer.status === 200 && (answer.headers['mcp-session-id'] !== session || answer.json.id !== own)) wrong.push(`${own}: ${answer.text}`);
    return answer.status;
  });
  for (let i = 0; i < 6; i++) {
    const before = load.done.length;
    const server = servers[i % 3];
    await waitFor('answers', () => load.done.length > before + 50, { deadline: 30_000 });
    await server.kill();
    if (i === 3) for (const { pid } of gate.children('worker')) process.kill(pid, 'SIGKILL');
    await waitFor('more answers', () => load.done.length > before + 100, { deadline: 30_000 });
    await server.revive();
  }
  await load.stop();
  assert.deepEqual(wrong, []);
  const calls = servers.flatMap((server) => server.calls);
  assert.equal(new Set(calls).size, calls.length, 'a call ran twice');
  for (const session of sessions) {
    await waitFor('every session to go on', async () => (await post(url, token, { body: call(`last ${session}`), headers: { 'mcp-session-id': session } })).status === 200);
  }
  assert.ok(await gate.metric('mcp_sessions_reinitialized_total') >= 6);
});

test('by default a session still ends with its server', async (t) => {
  const { begin, ask, records } = await setUp(t, 2, { app: { on_endpoint_loss: 'end' } });
  const { session, home, others: [heir] } = await begin();
  assert.ok(!(await records())[0].includes('opening='));
  await home.kill();
  assertLost(await ask(call(), session));
  assert.equal(heir.requests.length, 0);
  assert.deepEqual(await records(), []);
});
