// Tasks belong to who made them: nobody else can name one, on any method, in either era.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, open, post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, startEverything } from './harness/mcp.mjs';
import { ModernServer, modern } from './harness/modern.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const PARAMS = -32602;
const INTERNAL = -32603;
const CAPABILITY = -32021;
const TASKS = { 'io.modelcontextprotocol/tasks': {} };
const MODERN_METHODS = ['tasks/get', 'tasks/update', 'tasks/cancel'];
const LEGACY_METHODS = ['tasks/get', 'tasks/result', 'tasks/cancel'];

const role = (name, tools) => ({
  version: 'v1', kind: 'role', metadata: { name }, spec: { allow: { app_labels: { 'gatehouse/app-sub-kind': 'mcp' }, mcp: { tools, prompts: ['*'], resources: ['*'] } } },
});

async function setUp(t, { apps, roles = {}, ...options }) {
  const issuers = [await Issuer.make('https://one.example.com'), await Issuer.make('https://two.example.com')];
  const names = Object.keys(roles);
  const jwt = names.length > 0 ? { claims_to_roles: names.map((name) => ({ claim: 'groups', value: name, roles: [name] })) } : {};
  const gate = await Gateway.start(t, {
    apps: Object.entries(apps).map(([name, uri]) => ({ name, uri })),
    resources: {
      'issuers.yaml': issuers.map((issuer, i) => authConfig(`issuer-${i}`, issuer, { jwt })),
      ...(names.length > 0 ? { 'roles.yaml': Object.entries(roles).map(([name, tools]) => role(name, tools)) } : {}),
    },
    ...options,
  });
  const url = gate.url('app');
  const token = (claims = {}, issuer = 0, app = 'app') => issuers[issuer].token(gate.url(app), claims);
  return { gate, url, token, tasks: () => gate.dump('sessions', 'mcp_tasks') };
}

const mallory = { sub: 'mallory', email: 'mallory@example.com' };

function assertUnknown(answer, id = 7) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.error.message.replace('MCP error -32602: ', ''), 'Failed to retrieve task: Task not found');
  assert.deepEqual({ ...answer.json, error: answer.json.error.code }, { jsonrpc: '2.0', id, error: PARAMS });
}

// A modern server with tasks: every call of a declared client makes one. Its ids are all the proof that
// it asks for.
async function startTasks(t, { make = randomUUID, stream = false, ttlMs = 60_000 } = {}) {
  const made = new Map();
  const server = await ModernServer.start(t, {
    intercept(message, incoming, outgoing) {
      const { method, params } = message ?? {};
      if (method === 'tools/call' && params._meta['io.modelcontextprotocol/clientCapabilities'].extensions) {
        const task = { resultType: 'task', taskId: make(), status: 'working', createdAt: new Date().toISOString(), lastUpdatedAt: new Date().toISOString(), ttlMs };
        made.set(task.taskId, params.name);
        if (!stream) return { result: task };
        outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
        outgoing.end(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: task })}\n\n`);
        return true;
      }
      if (MODERN_METHODS.includes(method)) {
        if (!made.has(params.taskId)) return { error: { code: PARAMS, message: 'the server knows no such task' } };
        return { result: { resultType: 'complete', taskId: params.taskId, status: 'completed', result: { content: [] } } };
      }
      if (method === 'subscriptions/listen') return { result: { resultType: 'complete' } };
      return undefined;
    },
  });
  return Object.assign(server, { made });
}

const callTask = (url, token, name = 'plain') => post(url, token, modern('tools/call', { name, arguments: {} }, { extensions: TASKS }));
const askTask = (url, token, method, taskId, options) => post(url, token, modern(method, { taskId, ...(method === 'tasks/update' ? { inputResponses: {} } : {}) }, { extensions: TASKS, ...options }));
const listenTo = (url, token, taskIds, options) => post(url, token, modern('subscriptions/listen', { notifications: { taskIds } }, { extensions: TASKS, ...options }));

for (const stream of [false, true]) {
  test(`a modern task is its owner's alone: ${stream ? 'an event stream' : 'a document'}`, async (t) => {
    const server = await startTasks(t, { stream });
    const { gate, url, token, tasks } = await setUp(t, { apps: { app: server.uri, other: server.uri } });
    const alice = await token();
    const answer = await callTask(url, alice);
    assert.equal(answer.status, 200, answer.text);
    const [taskId] = server.made.keys();
    assert.ok(answer.text.includes(taskId));
    await t.test('its record says whose it is, and what made it', async () => {
      const [[key, value]] = await tasks();
      assert.equal(key, `app/${taskId}`);
      for (const field of [`id=${taskId.length}:${taskId}`, 'issuer=23:https://one.example.com', 'method=10:tools/call', 'tool=5:plain', 'ttl=2:60', 'address=9:127.0.0.1', `port=5:${server.port}`]) {
        assert.ok(` ${value} `.includes(` ${field} `), `${field} in ${value}`);
      }
    });
    for (const method of MODERN_METHODS) {
      await t.test(`the owner: ${method}`, async () => {
        const owned = await askTask(url, alice, method, taskId);
        assert.equal(owned.json.result?.taskId, taskId, owned.text);
      });
    }
    assert.equal((await listenTo(url, alice, [taskId])).json.error, undefined);
    server.requests.splice(0);
    const strangers = {
      'another subject': [await token(mallory)],
      'the same subject of another issuer': [await token({}, 1)],
      'the owner at another app': [await token({}, 0, 'other'), gate.url('other')],
      'the owner with another id': [alice, url, randomUUID()],
      'the owner with a longer id': [alice, url, `${taskId}x`],
      'the owner with no id': [alice, url, ''],
      'the owner with a very long id': [alice, url, 'x'.repeat(4000)],
      'the owner with another case': [alice, url, taskId.toUpperCase()],
    };
    for (const [who, [bearer, address = url, id = taskId]] of Object.entries(strangers)) {
      for (const method of MODERN_METHODS) {
        await t.test(`${who}: ${method}`, async () => assertUnknown(await askTask(address, bearer, method, id)));
      }
      if (id.length < 1000) {
        await t.test(`${who}: subscriptions/listen`, async () => assertUnknown(await listenTo(address, bearer, [id])));
        await t.test(`${who}: subscriptions/listen among others`, async () => assertUnknown(await listenTo(address, bearer, [randomUUID(), id])));
      }
    }
    await t.test('none of that reached the server, and the log says who tried', async () => {
      assert.deepEqual(server.requests, []);
      await gate.logged(/mcp_task_foreign.*mallory@example\.com/);
    });
    await t.test('removed methods are refused, and nothing else names a task', async () => {
      for (const method of ['tasks/result', 'tasks/list']) {
        const removed = await post(url, alice, modern(method, { taskId }, { extensions: TASKS, name: taskId }));
        assert.equal(removed.status, 404, removed.text);
        assert.equal(removed.json.error.code, -32601);
      }
      assert.deepEqual(server.requests, []);
    });
    await t.test('the owner noticed nothing', async () => {
      assert.equal((await askTask(url, alice, 'tasks/get', taskId)).json.result.taskId, taskId);
    });
  });
}

test('a modern client that does not declare the extension names no task', async (t) => {
  const server = await startTasks(t);
  const { url, token, tasks } = await setUp(t, { apps: { app: server.uri } });
  const alice = await token();
  await callTask(url, alice);
  const [taskId] = server.made.keys();
  server.requests.splice(0);
  const refused = (answer) => {
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual(answer.json, {
      jsonrpc: '2.0', id: 7,
      error: { code: CAPABILITY, message: 'Missing required client capability', data: { requiredCapabilities: { extensions: TASKS } } },
    });
  };
  for (const extensions of [undefined, {}, { 'io.modelcontextprotocol/tasks': true }, { 'io.modelcontextprotocol/task': {} }]) {
    for (const method of MODERN_METHODS) refused(await askTask(url, alice, method, taskId, { extensions }));
    refused(await listenTo(url, alice, [taskId], { extensions }));
  }
  assert.equal((await askTask(url, alice, 'tasks/get', taskId, { extensions: { 'IO.modelcontextprotocol/tasks': {} } })).json.error.code, -32600);
  assert.deepEqual(server.requests, []);
  await t.test('and what a server gives it unasked is no task of anybody\'s', async () => {
    server.intercept = (message) => (message.method === 'tools/call' ? { result: { resultType: 'task', taskId: 'unasked', status: 'working', ttlMs: null } } : undefined);
    const answer = await post(url, alice, modern('tools/call', { name: 'plain', arguments: {} }));
    assert.equal(answer.json.result.taskId, 'unasked');
    assert.equal((await tasks()).length, 1);
    assertUnknown(await askTask(url, alice, 'tasks/get', 'unasked'));
  });
  await t.test('a server\'s own -32021 passes untouched', async () => {
    const text = '{"jsonrpc":"2.0","id":7,"error":{"code":-32021,"message":"no","data":{"requiredCapabilities":{"sampling":{}}}}}';
    server.intercept = (message, incoming, outgoing) => {
      outgoing.writeHead(400, { 'content-type': 'application/json' });
      outgoing.end(text);
      return true;
    };
    const answer = await post(url, alice, modern('tools/call', { name: 'plain', arguments: {} }));
    assert.equal(answer.status, 400);
    assert.equal(answer.text, text);
    assert.equal(answer.headers['gatehouse-error-origin'], undefined);
  });
});

test('a server that repeats an id gives away nobody\'s task', async (t) => {
  const server = await startTasks(t, { make: () => 'one' });
  const { gate, url, token, tasks } = await setUp(t, { apps: { app: server.uri } });
  const alice = await token();
  assert.equal((await callTask(url, alice)).json.result.taskId, 'one');
  const repeated = await callTask(url, await token(mallory));
  assert.deepEqual(repeated.json, { jsonrpc: '2.0', id: 7, error: { code: INTERNAL, message: 'the app\'s server repeated a task' } });
  await gate.logged(/mcp_task_unrecorded/);
  assert.equal((await tasks()).length, 1);
  assert.equal((await askTask(url, alice, 'tasks/get', 'one')).json.result.taskId, 'one');
  assertUnknown(await askTask(url, await token(mallory), 'tasks/get', 'one'));
  for (const id of ['', 'x'.repeat(2000)]) {
    server.intercept = () => ({ result: { resultType: 'task', taskId: id, status: 'working', ttlMs: null } });
    assert.equal((await callTask(url, alice)).json.error.code, INTERNAL);
  }
});

test('a task is of a tool that its owner\'s roles list', async (t) => {
  const server = await startTasks(t);
  const { url, token } = await setUp(t, { apps: { app: server.uri }, roles: { all: ['*'], plain: ['plain'], none: [] } });
  const all = await token({ groups: ['all'] });
  await callTask(url, all, 'place');
  await callTask(url, all, 'plain');
  const [place, plain] = server.made.keys();
  const later = await token({ groups: ['plain'] });
  for (const method of MODERN_METHODS) {
    assert.equal((await askTask(url, all, method, place)).json.result.taskId, place);
    assertUnknown(await askTask(url, later, method, place));
    assert.equal((await askTask(url, later, method, plain)).json.result.taskId, plain);
  }
  assertUnknown(await listenTo(url, later, [plain, place]));
  assert.equal((await listenTo(url, later, [plain])).json.error, undefined);
  server.requests.splice(0);
  assertUnknown(await askTask(url, await token({ groups: ['none'] }), 'tasks/get', plain));
  assert.deepEqual(server.requests, []);
});

test('a task is with the server that made it, and forgotten in time', async (t) => {
  const servers = [await startTasks(t, { ttlMs: 1 }), await startTasks(t)];
  const { gate, url, token, tasks } = await setUp(t, { apps: { app: servers[0].uri }, limits: { mcp_task_ttl: '2s' } });
  const alice = await token();
  await callTask(url, alice);
  const [taskId] = servers[0].made.keys();
  gate.settings.app_service.apps[0].uri = servers[1].uri;
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('the app to move', async () => (await callTask(url, alice)).status === 200 && servers[1].made.size > 0);
  servers[1].requests.splice(0);
  assertUnknown(await askTask(url, alice, 'tasks/get', taskId));
  assert.deepEqual(servers[1].requests, []);
  await waitFor('the janitor to forget both', async () => (await tasks()).length === 0);
  assertUnknown(await askTask(url, alice, 'tasks/get', servers[1].made.keys().next().value));
});

// 2025-11-25.

const rpc = (method, params, id = 7) => JSON.stringify({ jsonrpc: '2.0', id, method, params });

function messages(answer) {
  if (!answer.headers['content-type'].startsWith('text/event-stream')) return [answer.json];
  return answer.text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)));
}

// A session of raw requests: ask(method, params) gives the final message.
async function session(url, token) {
  const headers = { 'mcp-protocol-version': '2025-11-25' };
  const begun = await post(url, token, { body: rpc('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }, 1) });
  assert.equal(begun.status, 200, begun.text);
  headers['mcp-session-id'] = begun.headers['mcp-session-id'];
  assert.equal((await post(url, token, { body: '{"jsonrpc":"2.0","method":"notifications/initialized"}', headers })).status, 202);
  const ask = async (method, params, id) => {
    const answer = await post(url, token, { body: rpc(method, params, id), headers });
    assert.equal(answer.status, 200, answer.text);
    return messages(answer).at(-1);
  };
  return { ask, headers, token, research: async (topic) => (await ask('tools/call', { name: 'simulate-research-query', arguments: { topic }, task: { ttl: 120_000 } })).result.task };
}

test('tasks of 2025-11-25: server-everything', async (t) => {
  const server = await startEverything(t);
  const { gate, url, token, tasks } = await setUp(t, { apps: { app: server.uri } });
  const alice = await session(url, await token());
  const thief = await session(url, await token(mallory));
  const mine = await alice.research('gates');
  const theirs = await thief.research('keys');
  assert.match(mine.taskId, /\S/);
  await t.test('both are on record', async () => {
    const records = Object.fromEntries(await tasks());
    assert.deepEqual(Object.keys(records).sort(), [mine, theirs].map(({ taskId }) => `app/${taskId}`).sort());
    assert.match(records[`app/${mine.taskId}`], / tool=23:simulate-research-query .* ttl=3:300$/);
  });
  for (const method of LEGACY_METHODS) {
    await t.test(`another user: ${method}`, async () => {
      const answer = await post(url, thief.token, { body: rpc(method, { taskId: mine.taskId }), headers: thief.headers });
      assertUnknown(answer);
    });
    await t.test(`another user, in the owner's session: ${method}`, async () => {
      const answer = await post(url, thief.token, { body: rpc(method, { taskId: mine.taskId }), headers: alice.headers });
      assert.equal(answer.status, 404);
    });
    await t.test(`in a batch: ${method}`, async () => {
      for (const version of [undefined, '2025-03-26']) {
        const answer = await post(url, thief.token, { body: `[${rpc(method, { taskId: mine.taskId })}]`, headers: version ? { 'mcp-protocol-version': version } : thief.headers });
        assert.equal(answer.status, 400, answer.text);
      }
    });
  }
  await t.test('a list shows its reader\'s own', async () => {
    for (const [who, own] of [[alice, mine], [thief, theirs]]) {
      const { result } = await who.ask('tasks/list', {});
      assert.deepEqual(result.tasks.map(({ taskId }) => taskId), [own.taskId]);
    }
  });
  await t.test('the owner cancels, and the thief still has theirs', async () => {
    assert.equal((await alice.ask('tasks/get', { taskId: mine.taskId })).result.taskId, mine.taskId);
    assert.equal((await alice.ask('tasks/cancel', { taskId: mine.taskId })).result.status, 'cancelled');
    const { result } = await thief.ask('tasks/result', { taskId: theirs.taskId });
    assert.match(result.content[0].text, /Research Report: keys/);
  });
  await gate.logged(/mcp_task_foreign.*mallory@example\.com/);
});

test('a client of SDK v1 runs a task through the gate', async (t) => {
  const server = await startEverything(t);
  const { url, token } = await setUp(t, { apps: { app: server.uri } });
  const client = await connectClient(t, 'v1', url, await token());
  const seen = [];
  for await (const message of client.experimental.tasks.callToolStream({ name: 'simulate-research-query', arguments: { topic: 'walls' } }, undefined, { task: { ttl: 120_000 } })) seen.push(message);
  assert.equal(seen[0].type, 'taskCreated');
  assert.equal(seen.at(-1).type, 'result', JSON.stringify(seen.at(-1)));
  assert.match(seen.at(-1).result.content[0].text, /Research Report: walls/);
  const { tasks } = await client.experimental.tasks.listTasks();
  assert.deepEqual(tasks.map(({ taskId }) => taskId), [seen[0].task.taskId]);
});

// A server of 2025-11-25 whose answers a test writes: `answer(message)` gives the text after the headers.
async function legacyServer(t, answer) {
  const upstream = await Upstream.start(async (incoming, response) => {
    const text = await body(incoming);
    const message = text === '' ? { method: incoming.method } : JSON.parse(text);
    if (message.method === 'initialize') {
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': randomUUID() });
      return response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { protocolVersion: message.params.protocolVersion, capabilities: {} } }));
    }
    if (message.id === undefined && incoming.method === 'POST') return response.writeHead(202).end();
    return answer(message, response);
  });
  t.after(() => upstream.stop());
  return upstream;
}

test('lists of tasks lose others\' byte for byte', async (t) => {
  let text;
  const upstream = await legacyServer(t, (message, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    if (message.method === 'tasks/list') return response.end(text);
    return response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { task: { taskId: message.params.name, status: 'working', ttl: null } } }));
  });
  const { url, token } = await setUp(t, { apps: { app: upstream.uri } });
  const alice = await session(url, await token());
  const thief = await session(url, await token(mallory));
  for (const name of ['a', 'b\u00fc']) await alice.ask('tools/call', { name, task: {} });
  await thief.ask('tools/call', { name: 'm', task: {} });
  const listed = async (tasks) => {
    text = `{"jsonrpc":"2.0","id":7,"result": {"tasks":${tasks} ,"nextCursor":"","x":1.50}}`;
    const answer = await post(url, alice.token, { body: rpc('tasks/list', {}), headers: alice.headers });
    const [, rest] = /^\{"jsonrpc":"2\.0","id":7,"result": \{"tasks":(.*) ,"nextCursor":"","x":1\.50\}\}$/s.exec(answer.text);
    return rest;
  };
  assert.equal(await listed('[{"taskId":"a","n":1e2},{"taskId":"b\\u00fc"}]'), '[{"taskId":"a","n":1e2},{"taskId":"b\\u00fc"}]');
  assert.equal(await listed('[{"taskId":"m"}, {"taskId":"a"},{"taskId":"nobody"}]'), '[{"taskId":"a"}]');
  assert.equal(await listed('[{"taskId":"m"},1,null,{},{"taskId":1},{"taskId":"a","taskId":"m"}]'), '[]');
  assert.equal(await listed('[]'), '[]');
});

test('a task that is told of on a resumed stream is its session\'s owner\'s', async (t) => {
  const upstream = await legacyServer(t, (message, response) => {
    if (message.method === 'tools/call') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return response.end('id: 1\nretry: 10\ndata:\n\n');
    }
    if (message.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return response.write('id: 2\ndata: {"jsonrpc":"2.0","id":7,"result":{"task":{"taskId":"late","status":"working","ttl":60000}}}\n\n');
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { taskId: message.params.taskId, status: 'working' } }));
  });
  const { url, token } = await setUp(t, { apps: { app: upstream.uri } });
  const alice = await session(url, await token());
  const thief = await session(url, await token(mallory));
  await post(url, alice.token, { body: rpc('tools/call', { name: 'slow', task: {} }), headers: alice.headers });
  const stream = await open(url, { headers: { ...MCP_HEADERS, ...alice.headers, authorization: `Bearer ${alice.token}`, 'last-event-id': '1' } });
  const [chunk] = await Promise.race([stream.stream.iterator().next().then(({ value }) => [value])]);
  assert.match(chunk.toString(), /"late"/);
  stream.request.destroy();
  assert.equal((await alice.ask('tasks/get', { taskId: 'late' })).result.taskId, 'late');
  assert.equal((await thief.ask('tasks/get', { taskId: 'late' })).error.code, PARAMS);
});
