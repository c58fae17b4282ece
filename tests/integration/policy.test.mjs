// What roles permit: every request to an MCP app is judged, and whoever may not is told so in a way
// that ends no session.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, PING, Raw, bytes, open, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, startEverything, startMcpProxy } from './harness/mcp.mjs';
import { Upstream } from './harness/upstream.mjs';
import { patience, waitFor } from './harness/wait.mjs';

const PARAMS = -32602;
const INVALID = -32600;
const METHOD = -32601;
const MCP = { 'gatehouse/app-sub-kind': 'mcp' };
const TOOLS = ['echo', 'get-sum', 'get-tiny-image'];

function role(name, { allow, deny }) {
  const side = (mcp, labels = MCP) => ({ app_labels: labels, ...mcp });
  return {
    version: 'v1',
    kind: 'role',
    metadata: { name },
    spec: { ...(allow ? { allow: side(allow) } : {}), ...(deny ? { deny: side(deny) } : {}) },
  };
}

const roles = {
  all: role('all', { allow: { mcp: { tools: ['*'], prompts: ['*'], resources: ['*'] } } }),
  three: role('three', { allow: { mcp: { tools: TOOLS } } }),
  narrow: role('narrow', {
    allow: {
      mcp: {
        tools: ['echo', '^get-[a-z]+$', { name: 'query', arguments: [{ pointer: '/database', values: ['sales', 'stock'] }] }],
        prompts: ['greet'],
        resources: ['demo://open/*'],
      },
    },
    deny: { mcp: { tools: ['get-env'], resources: ['demo://open/secret/*', 'demo://open/locked'] } },
  }),
  admin: role('admin', { allow: { required_scopes: ['mcp:admin', 'mcp:write'], mcp: { tools: ['format', { name: 'paint', scopes: ['mcp:paint'] }] } } }),
};

// A gate whose tokens name roles in their claim `groups`.
async function setUp(t, { uri, config = {}, apps, documents = Object.values(roles), ...options } = {}) {
  const upstream = uri ? undefined : await Upstream.start(options.handler);
  if (upstream) t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const names = documents.map(({ metadata }) => metadata.name);
  const gate = await Gateway.start(t, {
    apps: apps?.(upstream) ?? [{ name: 'app', uri: uri ?? upstream.uri }],
    resources: {
      'issuer.yaml': [authConfig('issuer', issuer, {
        labels: [{ name: '*', values: ['*'] }],
        jwt: { claims_to_roles: names.map((name) => ({ claim: 'groups', value: name, roles: [name] })), ...config },
      })],
      'roles.yaml': documents,
    },
  });
  const url = gate.url('app');
  const token = (groups, claims = {}) => issuer.token(url, { groups, ...claims });
  return { upstream, issuer, gate, url, token };
}

const message = (method, params = {}, id = 7) => JSON.stringify({ jsonrpc: '2.0', id, method, params });
const call = (name, args) => message('tools/call', { name, arguments: args });
const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
const modern = (method, name) => ({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(name === undefined ? {} : { 'mcp-name': name }) });

async function codeOf(promise) {
  return promise.then((result) => assert.fail(JSON.stringify(result)), ({ code, message: text }) => ({ code, text }));
}

async function threeOfThirteen(t, kind, url, token) {
  const all = await connectClient(t, kind, url, await token('all'));
  const names = (await all.listTools()).tools.map(({ name }) => name);
  assert.ok(names.length >= 13, names.join(' '));
  const client = await connectClient(t, kind, url, await token('three'));
  for (const name of names.filter((each) => !TOOLS.includes(each))) {
    const { code, text } = await codeOf(client.callTool({ name, arguments: {} }));
    assert.equal(code, PARAMS, `${name}: ${text}`);
    assert.match(text, new RegExp(`Unknown tool: ${name}`));
  }
  const { content } = await client.callTool({ name: 'echo', arguments: { message: 'still here' } });
  assert.match(content[0].text, /still here/);
  const sum = await client.callTool({ name: 'get-sum', arguments: { a: 2, b: 3 } });
  assert.match(sum.content[0].text, /5/);
  assert.equal((await codeOf(client.getPrompt({ name: 'simple-prompt' }))).code, PARAMS);
  assert.equal((await codeOf(client.readResource({ uri: 'demo://resource/static/document/features.md' }))).code, PARAMS);
}

test('a role of three tools calls no other: server-everything', async (t) => {
  const server = await startEverything(t);
  const { url, token } = await setUp(t, { uri: server.uri });
  for (const kind of ['v1', 'legacy', 'auto']) await t.test(kind, (t) => threeOfThirteen(t, kind, url, token));
});

test('a role of three tools calls no other: both eras', async (t) => {
  const server = await startMcpProxy(t);
  const { url, token } = await setUp(t, { uri: server.uri });
  for (const kind of ['auto', 'modern']) await t.test(kind, (t) => threeOfThirteen(t, kind, url, token));
});

// [what, body, headers]: for the role `narrow`.
const LISTEN = (...uris) => message('subscriptions/listen', { _meta: META, notifications: { toolsListChanged: true, resourceSubscriptions: uris } });
const permitted = [
  ['a tool by name', call('echo')],
  ['a tool by pattern', call('get-sum', { a: 1, a2: 2 })],
  ['a tool with an escape', '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\\u0065cho"}}'],
  ['an argument that a condition wants', call('query', { sql: 'x', database: 'sales' })],
  ['a retry with what was asked', message('tools/call', { name: 'echo', inputResponses: { a: {} }, requestState: 's' })],
  ['a prompt', message('prompts/get', { name: 'greet' })],
  ['a resource', message('resources/read', { uri: 'demo://open/1' })],
  ['a subscription', message('resources/subscribe', { uri: 'demo://open/1' })],
  ['a completion of a prompt', message('completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'a', value: 'b' } })],
  ['a completion of a template', message('completion/complete', { ref: { type: 'ref/resource', uri: 'demo://open/{id}' }, argument: { name: 'id', value: '1' } })],
  ['a listener', LISTEN('demo://open/1', 'demo://open/2'), modern('subscriptions/listen')],
  ['a modern call', message('tools/call', { name: 'echo', _meta: META }), modern('tools/call', 'echo')],
  ['a modern call with a sentinel', message('tools/call', { name: 'echo', _meta: META }), modern('tools/call', '=?base64?ZWNobw==?=')],
  ['a list', message('tools/list')],
  ['initialize', message('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } })],
  ['duplicates where no condition looks', '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"query","arguments":{"database":"sales","x":{"a":1,"a":2}}}}'],
];

// [what, status, code, message, body, headers]
const raw = (inside) => `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{${inside}}}`;
const V03 = { 'mcp-protocol-version': '2025-03-26' };
const refusals = [
  ['another tool', 200, PARAMS, 'Unknown tool: rm', call('rm')],
  ['a tool that is forbidden', 200, PARAMS, 'Unknown tool: get-env', call('get-env')],
  ['a forbidden tool with an escape', 200, PARAMS, 'Unknown tool: get-env', raw('"name":"get-\\u0065nv"')],
  ['a tool in capitals', 200, PARAMS, 'Unknown tool: ECHO', call('ECHO')],
  ['a tool with a blank', 200, PARAMS, 'Unknown tool: echo ', call('echo ')],
  ['a tool whose letter looks alike', 200, PARAMS, 'Unknown tool: \u0435cho', call('\u0435cho')],
  ['a tool behind a line that is permitted', 200, PARAMS, 'Unknown tool: get-x\nrm', call('get-x\nrm')],
  ['a tool with a line break behind', 200, PARAMS, 'Unknown tool: get-sum\n', call('get-sum\n')],
  ['a tool without a name', 200, PARAMS, 'Unknown tool', call('')],
  ['a retry of another tool', 200, PARAMS, 'Unknown tool: rm', message('tools/call', { name: 'rm', inputResponses: {}, requestState: 's' })],
  ['a task of another tool', 200, PARAMS, 'Unknown tool: rm', message('tools/call', { name: 'rm', task: { ttl: 1 } })],
  ['another tool by sentinel', 200, PARAMS, 'Unknown tool: rm', message('tools/call', { name: 'rm', _meta: META }), modern('tools/call', '=?base64?cm0=?=')],
  ['a sentinel as the name', 200, PARAMS, 'Unknown tool: =?base64?ZWNobw==?=', message('tools/call', { name: '=?base64?ZWNobw==?=', _meta: META }), modern('tools/call', '=?base64?PT9iYXNlNjQ/WldOb2J3PT0/PQ==?=')],
  ['an argument that the condition does not want', 200, PARAMS, 'Unknown tool: query', call('query', { database: 'hr' })],
  ['an argument of another kind', 200, PARAMS, 'Unknown tool: query', call('query', { database: ['sales'] })],
  ['the argument deeper down', 200, PARAMS, 'Unknown tool: query', call('query', { a: { database: 'sales' } })],
  ['no such argument', 200, PARAMS, 'Unknown tool: query', call('query', {})],
  ['no arguments', 200, PARAMS, 'Unknown tool: query', call('query')],
  ['the argument twice', 400, INVALID, undefined, raw('"name":"query","arguments":{"database":"sales","database":"hr"}')],
  ['the argument twice, escaped', 400, INVALID, undefined, raw('"name":"query","arguments":{"database":"sales","d\\u0061tabase":"hr"}')],
  ['the argument in another case', 400, INVALID, undefined, raw('"name":"query","arguments":{"database":"sales","Database":"hr"}')],
  ['the argument in a letter that folds', 400, INVALID, undefined, raw('"name":"query","arguments":{"database":"sales","databa\u017fe":"hr"}')],
  ['the argument that a NUL ends', 400, INVALID, undefined, raw('"name":"query","arguments":{"database":"sales","database\\u0000":"hr"}')],
  ['a second member beside the argument', 400, INVALID, undefined, raw('"name":"query","arguments":{"database":"sales","x":1,"x":2}')],
  ['arguments in an array', 400, INVALID, undefined, raw('"name":"query","arguments":[{"database":"sales"}]')],
  ['arguments twice', 400, INVALID, undefined, raw('"name":"query","arguments":{"database":"sales"},"arguments":{"database":"hr"}')],
  ['another prompt', 200, PARAMS, 'Unknown prompt: other', message('prompts/get', { name: 'other' })],
  ['a tool for a prompt', 200, PARAMS, 'Unknown prompt: echo', message('prompts/get', { name: 'echo' })],
  ['another resource', 200, PARAMS, 'Resource not found: demo://shut/1', message('resources/read', { uri: 'demo://shut/1' })],
  ['a forbidden resource', 200, PARAMS, 'Resource not found: demo://open/secret/1', message('resources/read', { uri: 'demo://open/secret/1' })],
  ['a forbidden resource, encoded', 200, PARAMS, undefined, message('resources/read', { uri: 'demo://open/%73ecret/1' })],
  ['a forbidden resource, by a way round', 200, PARAMS, undefined, message('resources/read', { uri: 'demo://open/x/../secret/1' })],
  ['another resource, by a way out', 200, PARAMS, undefined, message('resources/read', { uri: 'demo://open/../shut/1' })],
  ['another resource, by an encoded way out', 200, PARAMS, undefined, message('resources/read', { uri: 'demo://open/%2e%2e/shut/1' })],
  ['a forbidden resource with a fragment', 200, PARAMS, undefined, message('resources/read', { uri: 'demo://open/locked#x' })],
  ['a forbidden resource with a query', 200, PARAMS, undefined, message('resources/read', { uri: 'demo://open/locked?x=y' })],
  ['a forbidden resource with a space behind', 200, PARAMS, undefined, message('resources/read', { uri: 'demo://open/locked ' })],
  ['another resource, by a backslash', 200, PARAMS, undefined, message('resources/read', { uri: 'demo://open/..\\shut' })],
  ['another subscription', 200, PARAMS, 'Resource not found: demo://shut/1', message('resources/subscribe', { uri: 'demo://shut/1' })],
  ['the end of another subscription', 200, PARAMS, 'Resource not found: demo://shut/1', message('resources/unsubscribe', { uri: 'demo://shut/1' })],
  ['a completion of another prompt', 200, PARAMS, 'Unknown prompt: other', message('completion/complete', { ref: { type: 'ref/prompt', name: 'other', uri: 'demo://open/1' } })],
  ['a completion of another resource', 200, PARAMS, 'Resource not found: demo://shut/{id}', message('completion/complete', { ref: { type: 'ref/resource', uri: 'demo://shut/{id}', name: 'greet' } })],
  ['a listener of another resource', 200, PARAMS, 'Resource not found: demo://shut/1', LISTEN('demo://open/1', 'demo://shut/1'), modern('subscriptions/listen')],
  ['a listener of one resource twice', 400, INVALID, undefined, LISTEN('demo://open/1', 'demo://open/1'), modern('subscriptions/listen')],
  ['a method of nobody', 200, METHOD, 'Method not found', message('tools/run', { name: 'echo' })],
  ['a method of nobody, modern', 404, METHOD, 'Method not found', message('tools/run', { name: 'echo', _meta: META }), modern('tools/run')],
];

test('what a role permits, and nothing else', async (t) => {
  const { upstream, url, token } = await setUp(t);
  const narrow = await token('narrow');
  for (const [what, body, headers] of permitted) {
    await t.test(`${what} passes`, async () => {
      const answer = await post(url, narrow, { body, headers });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.error, undefined, answer.text);
      assert.equal(upstream.requests.splice(0)[0].body, body);
    });
  }
  for (const [what, status, code, text, body, headers] of refusals) {
    await t.test(what, async () => {
      const answer = await post(url, narrow, { body, headers });
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.json.error.code, code, answer.text);
      assert.equal(answer.json.id, 7);
      if (text !== undefined) assert.equal(answer.json.error.message, text);
      assert.deepEqual(upstream.requests.splice(0), []);
    });
  }
});

test('a batch runs whole or not at all', async (t) => {
  const { upstream, url, token } = await setUp(t);
  const narrow = await token(['narrow', 'admin']);
  const send = (...messages) => post(url, narrow, { body: `[${messages.join(',')}]`, headers: V03 });
  const note = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

  assert.equal((await send(call('echo'), note, call('get-sum'))).status, 200);
  assert.equal(upstream.requests.splice(0).length, 1);
  const denied = await send(message('tools/call', { name: 'echo' }, 1), message('tools/call', { name: 'rm' }, 2), note);
  assert.equal(denied.status, 200);
  assert.deepEqual(denied.json.map(({ id, error }) => [id, error.code]), [[1, INVALID], [2, PARAMS]]);
  assert.equal(denied.json[1].error.message, 'Unknown tool: rm');
  const scope = await send(message('tools/call', { name: 'echo' }, 1), message('tools/call', { name: 'format' }, 2));
  assert.equal(scope.status, 403);
  assert.match(scope.headers['www-authenticate'], /scope="mcp:admin mcp:write"/);
  assert.deepEqual(scope.json.map(({ id }) => id), [1, 2]);
  // One new token is to be enough for the whole batch.
  const scopes = await send(message('tools/call', { name: 'format' }, 1), message('tools/call', { name: 'paint' }, 2));
  assert.match(scopes.headers['www-authenticate'], /scope="mcp:admin mcp:write mcp:paint"/);
  const both = await send(message('tools/call', { name: 'format' }, 1), message('tools/call', { name: 'rm' }, 2));
  assert.equal(both.status, 200);
  const doubtful = await send(message('tools/call', { name: 'rm' }, 1), raw('"name":"echo","Name":"rm"'));
  assert.equal(doubtful.status, 400);
  assert.equal(doubtful.json.error.code, INVALID);
  assert.deepEqual(upstream.requests, []);
});

test('a forbidden call cut at every byte is read as one', async (t) => {
  const { upstream, gate, token } = await setUp(t);
  const narrow = await token('narrow');
  const head = bytes('POST /mcp/apps/app HTTP/1.1', { Host: `127.0.0.1:${gate.port}`, Authorization: `Bearer ${narrow}`, ...MCP_HEADERS, 'Transfer-Encoding': 'chunked' });
  const chunk = (text) => (text ? `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n` : '');
  const socket = await Raw.open(gate.port);
  t.after(() => socket.destroy());
  const text = raw('"name":"get-\\u0065nv","arguments":{"name":"echo"}');
  for (let cut = 0; cut <= text.length; cut++) {
    await socket.write(`${head}${chunk(text.slice(0, cut))}${chunk(text.slice(cut))}0\r\n\r\n`);
    const answer = await socket.response();
    assert.equal(answer.status, 200, `cut at ${cut}`);
    assert.equal(JSON.parse(answer.body).error.message, 'Unknown tool: get-env');
  }
  assert.deepEqual(upstream.requests, []);
});

test('a call without the scopes that its role needs is told every one of them', async (t) => {
  const { upstream, gate, url, token } = await setUp(t, { config: { required_scopes: ['mcp:use'] } });
  const ask = async (scope) => post(url, await token(['admin', 'narrow'], { scope }), { body: call('format') });
  const metadata = `resource_metadata="${gate.origin}/.well-known/oauth-protected-resource/mcp/apps/app"`;

  const none = await ask('mcp:use');
  assert.equal(none.status, 403);
  assert.equal(none.headers['www-authenticate'],
    `Bearer error="insufficient_scope", error_description="the token lacks a scope that is needed here", scope="mcp:use mcp:admin mcp:write", ${metadata}`);
  assert.equal(none.json.id, 7);
  assert.equal(typeof none.json.error.code, 'number');
  assert.equal((await ask('mcp:use mcp:admin')).status, 403);
  assert.equal((await ask('mcp:admin mcp:write')).status, 403); // what the config requires
  assert.deepEqual(upstream.requests, []);
  assert.equal((await ask('mcp:use mcp:admin mcp:write')).status, 200);
  assert.equal(upstream.requests.length, 1);
  // However many others a token has.
  const others = Array.from({ length: 100 }, (_, i) => `scope:${i}`).join(' ');
  assert.equal((await ask(`${others} mcp:use mcp:admin mcp:write`)).status, 200);
  // What needs no scope of a role goes on without them.
  assert.equal((await post(url, await token(['admin', 'narrow'], { scope: 'mcp:use' }), { body: call('echo') })).status, 200);
});

test('under a name of the app\'s own, whom a rule narrows reaches nothing but MCP', async (t) => {
  const { upstream, gate, url, token } = await setUp(t, {
    apps: (upstream) => [{ name: 'app', uri: upstream.uri, public_addr: 'app.example.com' }],
    handler: (request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
  });
  const own = new URL(upstream.uri.replace('mcp+', '')).pathname;
  const ask = async (method, path, role) => (await request(`${gate.origin}${path}`,
    { method, headers: { ...MCP_HEADERS, host: 'app.example.com', authorization: `Bearer ${await token(role)}` } })).status;

  for (const method of ['GET', 'DELETE'])
    for (const path of ['/', '/files/1', `${own}/`, `${own}/more`]) assert.equal(await ask(method, path, 'narrow'), 404, `${method} ${path}`);
  assert.deepEqual(upstream.requests, []);
  for (const [path, role] of [[own, 'narrow'], [`${own}?x=1`, 'narrow'], ['/files/1', 'all']]) assert.notEqual(await ask('GET', path, role), 404, path);
  assert.equal(upstream.requests.length, 3);
});

test('roles that do not open an app', async (t) => {
  const { upstream, gate, issuer, url, token } = await setUp(t, {
    apps: (upstream) => [{ name: 'app', uri: upstream.uri }, { name: 'web', uri: upstream.uri.replace('mcp+', ''), public_addr: 'web.example.com' }],
  });
  const nobody = await token('elsewhere');
  const ask = (method) => request(url, { method, headers: { ...MCP_HEADERS, authorization: `Bearer ${nobody}` } });

  for (const body of [PING, call('echo'), message('initialize'), message('vendor/own')]) {
    const denied = await post(url, nobody, { body });
    assert.equal(denied.status, 200);
    assert.equal(denied.json.error.code, PARAMS);
    assert.match(denied.json.error.message, /^Access denied/);
    assert.equal(denied.json.id, JSON.parse(body).id);
  }
  for (const body of ['{"jsonrpc":"2.0","method":"notifications/initialized"}', '{"jsonrpc":"2.0","id":1,"result":{}}']) {
    const denied = await post(url, nobody, { body });
    assert.equal(denied.status, 403);
    assert.equal(denied.json.id, null);
  }
  for (const method of ['GET', 'DELETE']) {
    const denied = await ask(method);
    assert.equal(denied.status, 403);
    assert.equal(denied.json.id, null);
  }
  // The role `all` is for MCP servers alone.
  const web = await request(`${gate.origin}/`, { headers: { host: 'web.example.com', authorization: `Bearer ${await issuer.token(gate.url('web'), { groups: 'all' })}` } });
  assert.equal(web.status, 403);
  assert.match(web.headers['content-type'], /^text\/plain/);
  assert.deepEqual(upstream.requests, []);
  assert.ok((await gate.metric('policy_refused_total')) >= 9);
});

test('a role that changes is in force for the next request of the same session', async (t) => {
  const server = await startEverything(t);
  const { gate, url, token } = await setUp(t, { uri: server.uri });
  const client = await connectClient(t, 'v1', url, await token('three'));
  const echo = () => client.callTool({ name: 'echo', arguments: { message: 'here' } }).then(() => 0, ({ code }) => code);
  const others = Object.values(roles).filter(({ metadata }) => metadata.name !== 'three');

  assert.equal(await echo(), 0);
  gate.writeResource('roles.yaml', ...others, role('three', { allow: { mcp: { tools: ['get-sum'] } } }));
  await waitFor('the call to be refused', async () => (await echo()) === PARAMS);
  gate.writeResource('roles.yaml', ...others, roles.three);
  await waitFor('the call to be allowed again', async () => (await echo()) === 0);
});

test('open streams end within a second when roles shut their caller out, and say why', async (t) => {
  const first = 'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n';
  const { gate, url, token } = await setUp(t, {
    handler: (incoming, response) => {
      incoming.resume();
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(first);
    },
  });
  const stream = async (groups) => {
    const { status, stream: body } = await open(url, { headers: { ...MCP_HEADERS, authorization: `Bearer ${await token(groups)}` } });
    assert.equal(status, 200);
    const got = { text: '', ended: false };
    body.setEncoding('utf8').on('data', (part) => (got.text += part)).on('end', () => (got.ended = true));
    await waitFor('the first event', () => got.text === first);
    return got;
  };
  const mine = await Promise.all(Array.from({ length: 4 }, () => stream('three')));
  const others = await Promise.all(Array.from({ length: 4 }, () => stream(['three', 'all'])));
  const before = performance.now();
  gate.writeResource('roles.yaml', ...Object.values(roles).filter(({ metadata }) => metadata.name !== 'three'));
  await waitFor('the streams to end', () => mine.every(({ ended }) => ended), { deadline: 3000 });
  assert.ok(performance.now() - before < 1000 * patience);
  for (const { text } of mine) assert.equal(text.slice(0, first.length), first);
  for (const { text } of mine) assert.match(text.slice(first.length), /^event: message\ndata: \{.*roles do not open.*\}\n\n$/);
  assert.ok(others.every(({ text, ended }) => !ended && text === first));
  assert.equal((await post(url, await token('three'))).json.error.code, PARAMS);
});
