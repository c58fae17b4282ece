// Apps of several endpoints: MCP sessions, servers that drain, and the documents that such an app is made of.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { several, servers, setUp } from './harness/endpoints.mjs';
import { gatehouse } from './harness/gateway.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const ok = async (answer) => assert.equal((await answer).status, 200, (await answer).text);

// A server that begins a session with each initialize, and says its name in every answer.
async function sessionServer(t, name) {
  const server = new Set();
  const upstream = await Upstream.start(async (request, response, seen) => {
    seen.body = await body(request);
    const session = request.headers['mcp-session-id'];
    const { id, method } = JSON.parse(seen.body);
    const headers = { 'content-type': 'application/json', 'x-server': name };
    if (method === 'initialize') {
      headers['mcp-session-id'] = `${name}-${server.size}`;
      server.add(headers['mcp-session-id']);
    } else if (session && !server.has(session)) {
      return response.writeHead(404).end();
    }
    if (id === undefined) return response.writeHead(202).end();
    response.writeHead(200, headers);
    const result = method === 'initialize'
      ? { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'server', version: '1' } } : {};
    return response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  t.after(() => upstream.stop().catch(() => {}));
  upstream.name = name;
  return upstream;
}

const initialize = JSON.stringify({
  jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});

// Sessions until each server has one: a map of the server's name to a session.
async function sessionsOnEach(ask, list) {
  const sessions = new Map();
  await waitFor('a session on each', async () => {
    const answer = await ask({ body: initialize });
    assert.equal(answer.status, 200, answer.text);
    sessions.set(answer.headers['x-server'], answer.headers['mcp-session-id']);
    return sessions.size === list.length;
  });
  return sessions;
}

test('an MCP session stays with its server; when that is lost it is 404, and begins anew elsewhere', async (t) => {
  const list = await Promise.all(['a', 'b', 'c'].map((name) => sessionServer(t, name)));
  const { ask } = await setUp(t, several(list, { health_check: { interval: '400ms' } }));
  const sessions = await sessionsOnEach(ask, list);
  const call = (session) => ask({ headers: { 'mcp-session-id': session } });
  for (let i = 0; i < 5; i++)
    for (const [name, session] of sessions) assert.equal((await call(session)).headers['x-server'], name);
  await list[0].stop();
  const lost = await call(sessions.get('a'));
  assert.equal(lost.status, 404);
  assert.deepEqual(lost.json.error.code, -32001);
  for (const name of ['b', 'c']) assert.equal((await call(sessions.get(name))).headers['x-server'], name);
  for (let i = 0; i < 10; i++) assert.notEqual((await ask({ body: initialize })).headers['x-server'], 'a');
  // The session is over, and stays so.
  assert.equal((await call(sessions.get('a'))).status, 404);
});

test('a server that drains keeps its sessions, and gets no new ones', async (t) => {
  const list = await Promise.all(['a', 'b'].map((name) => sessionServer(t, name)));
  const { gate, ask } = await setUp(t, several(list));
  const sessions = await sessionsOnEach(ask, list);
  gate.settings.app_service.apps[0].endpoints[0] = { uri: list[0].uri, state: 'drain' };
  gate.writeSettings();
  gate.signal('SIGHUP');
  const drained = async () => JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout).apps[0].endpoints[0].state === 'drain';
  await waitFor('the drain', drained);
  await waitFor('the workers', async () => {
    const names = await Promise.all(Array.from({ length: 8 }, async () => (await ask()).headers['x-server']));
    return names.every((name) => name === 'b');
  });
  for (let i = 0; i < 10; i++) assert.equal((await ask({ body: initialize })).headers['x-server'], 'b');
  for (const [name, session] of sessions) assert.equal((await ask({ headers: { 'mcp-session-id': session } })).headers['x-server'], name);
});

test('gatehouse drain holds over restarts and changes of the app, until it is undone', async (t) => {
  const list = await Promise.all(['a', 'b'].map((name) => sessionServer(t, name)));
  const { gate, ask } = await setUp(t, several(list), { workers: 1 });
  const sessions = await sessionsOnEach(ask, list);
  const drain = (...args) => gatehouse('drain', ...args, '-c', gate.settingsPath);
  const states = async () => JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout).apps[0].endpoints.map(({ state }) => state);
  const onlyB = async () => {
    for (let i = 0; i < 10; i++) assert.equal((await ask({ body: initialize })).headers['x-server'], 'b');
    assert.equal((await ask({ headers: { 'mcp-session-id': sessions.get('a') } })).headers['x-server'], 'a');
  };
  for (const [args, status, words] of [
    [['app', '127.0.0.1:1'], 65, /the app has no such endpoint/],
    [['none', '127.0.0.1:1'], 65, /there is no such app/],
    [['app'], 64, /name an app and one of its endpoints/],
  ]) {
    const refused = await drain(...args);
    assert.equal(refused.status, status, refused.output);
    assert.match(refused.output, words);
  }
  const done = await drain('app', `127.0.0.1:${list[0].port}`);
  assert.equal(done.status, 0, done.output);
  assert.deepEqual(await states(), ['drain', 'active']);
  await waitFor('the worker', async () => (await Promise.all(Array.from({ length: 8 }, ask))).every(({ headers }) => headers['x-server'] === 'b'));
  await onlyB();
  gate.settings.app_service.apps[0].description = 'changed';
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('the change', async () => (await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout.includes('changed'));
  await onlyB();
  await gate.stop();
  await gate.run();
  assert.deepEqual(await states(), ['drain', 'active']);
  await onlyB();
  assert.equal((await drain('app', list[0].uri, '--undo')).status, 0);
  assert.deepEqual(await states(), ['active', 'active']);
  await waitFor('the first one', async () => (await ask({ body: initialize })).headers['x-server'] === 'a');
});

test('several documents are one app, as long as they agree', async (t) => {
  const { list } = await servers(t, 3);
  const { gate, ask } = await setUp(t, [], { workers: 1 });
  const app = ({ uri }, labels = { env: 'test' }) => ({ version: 'v1', kind: 'app', metadata: { name: 'app', labels }, spec: { uri } });
  const shown = async () => JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout).apps[0]?.endpoints.map(({ port }) => port) ?? [];
  const ports = (...indices) => indices.map((index) => list[index].port);
  const becomes = async (...indices) => waitFor(`endpoints ${indices}`, async () => JSON.stringify(await shown()) === JSON.stringify(ports(...indices)));
  gate.writeResource('1.yaml', app(list[0]));
  await becomes(0);
  gate.writeResource('2.yaml', app(list[1]));
  await becomes(0, 1);
  gate.writeResource('3.yaml', app(list[2]));
  await becomes(0, 1, 2);
  assert.doesNotMatch(gate.log, /document_refused/);
  await waitFor('all of them to be used', async () => {
    await ok(ask());
    return list.every(({ own }) => own > 0);
  });
  gate.writeResource('2.yaml', app(list[1], { env: 'other' }));
  await waitFor('the refusal', () => /document_refused.*1\.yaml:\d+:\d+ and at \S*2\.yaml:\d+:\d+: documents of one app must agree/.test(gate.log));
  assert.deepEqual(await shown(), ports(0, 1, 2));
  assert.match((await gate.check()).output, /2\.yaml:\d+:\d+: name: "app" is taken already at \S*1\.yaml/);
  gate.removeResource('2.yaml');
  await becomes(0, 2);
  gate.removeResource('1.yaml');
  await becomes(2);
});
