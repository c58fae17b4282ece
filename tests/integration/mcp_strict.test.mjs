// Attempts to have a server run what the gate did not judge: none arrives, and each has its reason.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, Raw, bytes, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { oneApp } from './harness/one_app.mjs';
import { Upstream } from './harness/upstream.mjs';

const PARSE = -32700;
const INVALID = -32600;
const PARAMS = -32602;
const METHOD = -32601;
const MISMATCH = -32020;
const VERSION = -32022;

const call = (name = 'echo') => `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"${name}"}}`;
const params = (inside) => `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{${inside}}}`;
const envelope = (inside) => `{"jsonrpc":"2.0",${inside}}`;
const META = '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}';
const modern = (method, inside = '', meta = META) => `{"jsonrpc":"2.0","id":7,"method":"${method}","params":{${inside}${inside ? ',' : ''}"_meta":{${meta}}}}`;
const headers = (method, name, version = '2026-07-28') => ({
  'mcp-protocol-version': version, ...(method ? { 'mcp-method': method } : {}), ...(name === undefined ? {} : { 'mcp-name': name }),
});
const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
const many = (count) => Array.from({ length: count }, (_, i) => `"m${i}":${i}`).join(',');
const bytesOf = (before, hex, after) => Buffer.concat([Buffer.from(before), Buffer.from(hex, 'hex'), Buffer.from(after)]);

// [what, status, code, id, body, headers]
const attempts = [
  ['a second method', 400, INVALID, 7, envelope('"id":7,"method":"tools/list","method":"tools/call","params":{"name":"x"}')],
  ['a second name', 400, INVALID, 7, params('"name":"get-sum","name":"echo"')],
  ['a second params', 400, INVALID, 7, envelope('"id":7,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}')],
  ['a second id', 400, INVALID, null, envelope('"id":7,"id":8,"method":"ping"')],
  ['a second name, escaped', 400, INVALID, 7, params('"name":"a","n\\u0061me":"b"')],
  ['a second method, escaped', 400, INVALID, 7, envelope('"id":7,"method":"ping","\\u006dethod":"tools/call"')],
  ['a second key of no meaning', 400, INVALID, 7, envelope('"id":7,"method":"ping","x":1,"x":2')],
  ['Method', 400, INVALID, 7, envelope('"id":7,"method":"ping","Method":"tools/call"')],
  ['METHOD alone', 400, INVALID, null, envelope('"id":7,"METHOD":"tools/call"')],
  ['Params', 400, INVALID, 7, envelope('"id":7,"method":"tools/call","params":{"name":"a"},"Params":{"name":"b"}')],
  ['Name', 400, INVALID, 7, params('"name":"a","Name":"b"')],
  ['Id', 400, INVALID, 7, envelope('"id":7,"Id":8,"method":"ping"')],
  ['URI', 400, INVALID, 7, envelope('"id":7,"method":"resources/read","params":{"uri":"a:a","URI":"a:b"}')],
  ['Arguments', 400, INVALID, 7, params('"name":"a","arguments":{},"Arguments":{}')],
  ['_Meta', 400, INVALID, 7, params('"name":"a","_Meta":{}')],
  ['param\u017f, which folds to params', 400, INVALID, 7, envelope('"id":7,"method":"tools/call","params":{"name":"a"},"param\u017f":{"name":"b"}')],
  ['tas\u212aId, which folds to taskId', 400, INVALID, 7, envelope('"id":7,"method":"tasks/get","params":{"taskId":"a","tas\u212aId":"b"}')],
  ['a method that a NUL ends', 400, INVALID, 7, envelope('"id":7,"method":"tools/list\\u0000"')],
  ['a name that a NUL ends', 400, INVALID, 7, params('"name":"echo\\u0000x"')],
  ['a key that a NUL ends', 400, INVALID, 7, params('"name":"a","name\\u0000":"b"')],
  ['a second version in _meta', 400, INVALID, 7, modern('ping', '', `${META},"io.modelcontextprotocol/protocolVersion":"x"`)],
  ['a second ref.name', 400, INVALID, 7, envelope('"id":7,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","name":"b"}}')],
  ['ref.Name', 400, INVALID, 7, envelope('"id":7,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","Name":"b"}}')],
  ['a batch without a version', 400, INVALID, null, `[${call()}]`],
  ['a batch in 2025-06-18', 400, INVALID, null, `[${call()}]`, { 'mcp-protocol-version': '2025-06-18' }],
  ['a batch in 2025-11-25', 400, INVALID, null, `[${call()}]`, { 'mcp-protocol-version': '2025-11-25' }],
  ['a batch in 2026-07-28', 400, INVALID, null, `[${modern('tools/list')}]`, headers('tools/list')],
  ['an empty batch', 400, INVALID, null, '[]', { 'mcp-protocol-version': '2025-03-26' }],
  ['a batch in a batch', 400, INVALID, null, `[[${call()}]]`, { 'mcp-protocol-version': '2025-03-26' }],
  ['a batch with one bad message', 400, INVALID, null, `[${call()},${params('"name":"a","Name":"b"')}]`, { 'mcp-protocol-version': '2025-03-26' }],
  ['a batch of 101', 400, INVALID, null, `[${Array(101).fill(call()).join(',')}]`, { 'mcp-protocol-version': '2025-03-26' }],
  ['initialize in a batch', 400, INVALID, null, `[${envelope('"id":7,"method":"initialize"')}]`, { 'mcp-protocol-version': '2025-03-26' }],
  ['a byte order mark', 400, PARSE, null, `\ufeff${call()}`],
  ['UTF-16', 400, PARSE, null, Buffer.from(call(), 'utf16le')],
  ['a byte that is no UTF-8', 400, PARSE, null, bytesOf('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"ec', 'ff', 'ho"}}')],
  ['an overlong quote', 400, PARSE, null, bytesOf('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a', 'c0a2', '"}}')],
  ['a surrogate in UTF-8', 400, PARSE, null, bytesOf('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"', 'eda080', '"}}')],
  ['a lone surrogate', 400, PARSE, null, params('"name":"\\ud800"')],
  ['nesting', 400, PARSE, null, params(`"name":"a","arguments":{"a":${nested(100)}}`)],
  ['much nesting', 400, PARSE, null, params(`"name":"a","arguments":{"a":${nested(100_000)}}`)],
  ['257 members', 400, INVALID, 7, params(`"name":"a",${many(256)}`)],
  ['a second message behind the first', 400, PARSE, null, `${call('a')}${call('b')}`],
  ['a second message in a second line', 400, PARSE, null, `${call('a')}\n${call('b')}`],
  ['a comment', 400, PARSE, null, params('/*"name":"a",*/"name":"b"')],
  ['a comma too many', 400, PARSE, null, params('"name":"a",')],
  ['half a message', 400, PARSE, null, call().slice(0, -1)],
  ['nothing', 400, PARSE, null, ''],
  ['no jsonrpc', 400, INVALID, 7, '{"id":7,"method":"ping"}'],
  ['another jsonrpc', 400, INVALID, 7, '{"jsonrpc":"1.0","id":7,"method":"ping"}'],
  ['a bare string', 400, INVALID, null, '"ping"'],
  ['tools/call as a notification', 400, INVALID, null, envelope('"method":"tools/call","params":{"name":"echo"}')],
  ['a notification with an id', 400, INVALID, 7, envelope('"id":7,"method":"notifications/initialized"')],
  ['an id null', 400, INVALID, null, envelope('"id":null,"method":"tools/call","params":{"name":"a"}')],
  ['an id true', 400, INVALID, null, envelope('"id":true,"method":"ping"')],
  ['an id with a fraction', 400, INVALID, null, envelope('"id":1.5,"method":"ping"')],
  ['an id in an array', 400, INVALID, null, envelope('"id":[7],"method":"ping"')],
  ['an id beyond integers', 400, INVALID, null, envelope(`"id":${'9'.repeat(30)},"method":"ping"`)],
  ['an id that no answer would repeat', 400, INVALID, null, envelope(`"id":"${'x'.repeat(300)}","method":"tools/call","params":{"name":"echo"}`)],
  ['a method and a result', 400, INVALID, 7, envelope('"id":7,"method":"tools/call","params":{"name":"a"},"result":{}')],
  ['a result and an error', 400, INVALID, null, envelope('"id":7,"result":{},"error":{"code":1,"message":""}')],
  ['a response without an id', 400, INVALID, null, envelope('"result":{}')],
  ['params in an array', 400, INVALID, 7, envelope('"id":7,"method":"tools/call","params":["echo"]')],
  ['a method that is no string', 400, INVALID, 7, envelope('"id":7,"method":["tools/call"]')],
  ['a name that is no string', 400, INVALID, 7, params('"name":["echo"]')],
  ['no name', 200, PARAMS, 7, params('"arguments":{}')],
  ['no uri', 200, PARAMS, 7, envelope('"id":7,"method":"resources/read","params":{"name":"x"}')],
  ['a ref of no kind', 200, PARAMS, 7, envelope('"id":7,"method":"completion/complete","params":{"ref":{"type":"ref/tool","name":"x"}}')],
  ['an unknown version', 400, VERSION, 7, call(), { 'mcp-protocol-version': '2099-01-01' }],
  ['a version with another letter', 400, VERSION, 7, call(), { 'mcp-protocol-version': '2025-06-18 x' }],
  ['gzip', 415, INVALID, null, gzipSync(call()), { 'content-encoding': 'gzip' }],
  ['gzip that is none', 415, INVALID, null, call(), { 'content-encoding': 'gzip' }],
  ['a list of encodings', 415, INVALID, null, call(), { 'content-encoding': 'identity, deflate' }],
  ['gzip, with an underscore', 400, INVALID, null, call(), { content_encoding: 'gzip' }],
  ['a session, with an underscore', 400, INVALID, null, call(), { mcp_session_id: 'x' }],
  ['text/plain', 415, INVALID, null, call(), { 'content-type': 'text/plain' }],
  ['a form', 415, INVALID, null, call(), { 'content-type': 'application/x-www-form-urlencoded' }],
  ['a charset', 415, INVALID, null, call(), { 'content-type': 'application/json; charset=utf-16' }],
  ['2026-07-28 without Mcp-Method', 400, MISMATCH, 7, modern('tools/list'), headers()],
  ['Mcp-Method of another notification', 400, MISMATCH, null, envelope(`"method":"notifications/cancelled","params":{"requestId":"1","_meta":{${META}}}`), headers('notifications/progress')],
  ['Mcp-Method of another method', 400, MISMATCH, 7, modern('tools/call', '"name":"echo"'), headers('tools/list', 'echo')],
  ['Mcp-Method in another case', 400, MISMATCH, 7, modern('tools/list'), headers('Tools/list')],
  ['no Mcp-Name', 400, MISMATCH, 7, modern('tools/call', '"name":"echo"'), headers('tools/call')],
  ['Mcp-Name of another tool', 400, MISMATCH, 7, modern('tools/call', '"name":"rm"'), headers('tools/call', 'echo')],
  ['Mcp-Name of a uri', 400, MISMATCH, 7, modern('resources/read', '"uri":"a:b","name":"a:c"'), headers('resources/read', 'a:c')],
  ['Mcp-Name of a task', 400, MISMATCH, 7, modern('tasks/get', '"taskId":"1"'), headers('tasks/get', '2')],
  ['a sentinel without padding', 400, MISMATCH, 7, modern('tools/call', '"name":"echo"'), headers('tools/call', '=?base64?ZWNobw?=')],
  ['a sentinel with loose bits', 400, MISMATCH, 7, modern('tools/call', '"name":"echo"'), headers('tools/call', '=?base64?ZWNobx==?=')],
  ['a sentinel in base64url', 400, MISMATCH, 7, modern('tools/call', '"name":"\u00ff\u00ff"'), headers('tools/call', '=?base64?w7_Dvw==?=')],
  ['a sentinel in capitals', 400, MISMATCH, 7, modern('tools/call', '"name":"echo"'), headers('tools/call', '=?BASE64?ZWNobw==?=')],
  ['a sentinel that is the name itself', 400, MISMATCH, 7, modern('tools/call', '"name":"=?base64?ZWNobw==?="'), headers('tools/call', '=?base64?ZWNobw==?=')],
  ['a modern body without the header', 400, MISMATCH, 7, modern('tools/list')],
  ['a modern body with a legacy header', 400, MISMATCH, 7, modern('tools/list'), { 'mcp-protocol-version': '2025-11-25' }],
  ['a modern header on a legacy body', 400, PARAMS, 7, call(), headers('tools/call', 'echo')],
  ['_meta without capabilities', 400, PARAMS, 7, modern('tools/list', '', '"io.modelcontextprotocol/protocolVersion":"2026-07-28"'), headers('tools/list')],
  ['a response in 2026-07-28', 400, INVALID, null, envelope('"id":7,"result":{}'), headers('tools/list')],
  ['a method of nobody', 200, METHOD, 7, envelope('"id":7,"method":"vendor/own"')],
  ['a method of nobody, modern', 404, METHOD, 7, modern('vendor/own'), headers('vendor/own')],
  ['a method in capitals', 200, METHOD, 7, envelope('"id":7,"method":"TOOLS/CALL","params":{"name":"echo"}')],
  ['a method with a blank', 200, METHOD, 7, envelope('"id":7,"method":"tools/call ","params":{"name":"echo"}')],
  ['a method with a slash too many', 200, METHOD, 7, envelope('"id":7,"method":"tools//call","params":{"name":"echo"}')],
  ['a request that only servers make', 200, METHOD, 7, envelope('"id":7,"method":"sampling/createMessage","params":{}')],
  ['a notification of nobody', 403, INVALID, null, envelope('"method":"notifications/own"')],
  ['a notification of nobody, modern', 403, INVALID, null, envelope('"method":"notifications/own"'), headers('notifications/own')],
  ['a resource twice in a subscription', 400, INVALID, 7, modern('subscriptions/listen', '"notifications":{"resourceSubscriptions":["a:b","a:\\u0062"]}'), headers('subscriptions/listen')],
  ['ResourceSubscriptions', 400, INVALID, 7, modern('subscriptions/listen', '"notifications":{"ResourceSubscriptions":["a:b"]}'), headers('subscriptions/listen')],
  ['arguments twice', 400, INVALID, 7, params('"name":"a","arguments":{},"arguments":{"b":1}')],
  ...['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'].map((method) =>
    [`${method} in 2026-07-28`, 404, METHOD, 7, modern(method, '"uri":"a:b"'), headers(method)]),
];

test('what could be read in two ways', async (t) => {
  const { upstream, url, token } = await oneApp(t);
  assert.ok(attempts.length >= 40);
  for (const [what, status, code, id, body, more] of attempts) {
    await t.test(what, async () => {
      const answer = await post(url, token, { body, headers: more });
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.json.jsonrpc, '2.0');
      assert.equal(answer.json.error.code, code, answer.text);
      assert.equal(answer.json.id, id, answer.text);
      assert.ok(answer.json.error.message.length > 0);
      assert.equal(answer.headers['gatehouse-error-origin'], 'gateway');
      assert.deepEqual(upstream.requests.splice(0), []);
    });
  }
});

// [what, body, headers]
const good = [
  ['a notification of 2026-07-28 without Mcp-Method, as the SDK sends it', envelope(`"method":"notifications/cancelled","params":{"requestId":"1","_meta":{${META}}}`), headers()],
  ['a call', call()],
  ['a call with escapes', '{"jsonrpc":"2.0","id":"\\u0061","method":"tools\\/call","params":{"n\\u0061me":"echo"}}'],
  ['duplicates in arguments, which nobody judges', params('"name":"echo","arguments":{"name":1,"name":2,"Name":3}')],
  ['a notification', envelope('"method":"notifications/initialized"')],
  ['a response', envelope('"id":"x","result":{"roots":[]}')],
  ['an error', envelope('"id":1,"error":{"code":-1,"message":"no"}')],
  ['a batch in 2025-03-26', `[${call()},${envelope('"method":"notifications/initialized"')}]`, { 'mcp-protocol-version': '2025-03-26' }],
  ['a charset that is JSON\'s own', call(), { 'content-type': 'application/json; charset=utf-8' }],
  ['a modern list', modern('tools/list'), headers('tools/list')],
  ['a modern call', modern('tools/call', '"name":"echo"'), headers('tools/call', 'echo')],
  ['a modern call with a sentinel', modern('tools/call', '"name":"\u00fc"'), headers('tools/call', '=?base64?w7w=?=')],
  ['a modern notification', envelope('"method":"notifications/progress","params":{}'), headers('notifications/progress')],
  ['Mcp-Param-*', modern('tools/call', '"name":"echo"'), { ...headers('tools/call', 'echo'), 'mcp-param-region': 'eu' }],
];

test('what has one meaning passes byte for byte', async (t) => {
  const { upstream, url, token } = await oneApp(t);
  for (const [what, body, more] of good) {
    await t.test(what, async () => {
      assert.equal((await post(url, token, { body, headers: more })).status, 200);
      const [seen] = upstream.requests.splice(0);
      assert.equal(seen.body, body);
      for (const [name, value] of Object.entries(more ?? {})) assert.equal(seen.headers[name], value);
    });
  }
});

test('methods that an app allows by name', async (t) => {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri, mcp: { allowed_methods: ['vendor/own', 'notifications/own'] } }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
  });
  const url = gate.url('app');
  const token = await issuer.token(url);
  for (const [body, more] of [[envelope('"id":7,"method":"vendor/own"')], [envelope('"id":7,"method":"vendor\\/own"')],
    [envelope('"method":"notifications/own"')], [modern('vendor/own'), headers('vendor/own')]]) {
    assert.equal((await post(url, token, { body, headers: more })).status, 200, body);
    assert.equal(upstream.requests.splice(0)[0].body, body);
  }
  for (const method of ['vendor/Own', 'vendor/own2', 'vendor', 'vendor/ow']) {
    assert.equal((await post(url, token, { body: envelope(`"id":7,"method":"${method}"`) })).json.error.code, METHOD, method);
  }
  assert.deepEqual(upstream.requests, []);
});

test('of a batch that is refused, each request gets its answer and none runs', async (t) => {
  const { upstream, url, token } = await oneApp(t);
  const version = { 'mcp-protocol-version': '2025-03-26' };
  const message = (id, method) => `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":{"name":"echo"}}`;
  const notification = (method) => `{"jsonrpc":"2.0","method":"${method}"}`;
  const send = (...messages) => post(url, token, { body: `[${messages.join(',')}]`, headers: version });

  const one = await send(message(1, 'tools/call'), notification('notifications/initialized'), message('"b"', 'vendor/own'), message(3, 'tools/call'));
  assert.equal(one.status, 200);
  assert.deepEqual(one.json.map(({ id, error }) => [id, error.code]), [[1, INVALID], ['b', METHOD], [3, INVALID]]);
  assert.match(one.json[0].error.message, /^Not run: /);
  const hidden = await send(message(1, 'tools/call'), notification('notifications/own'));
  assert.equal(hidden.status, 200);
  assert.deepEqual(hidden.json.map(({ id, error }) => [id, error.code]), [[1, INVALID]]);
  const nobody = await send(notification('notifications/own'), notification('notifications/initialized'));
  assert.equal(nobody.status, 403);
  assert.equal(nobody.json.id, null);
  assert.deepEqual(upstream.requests, []);
});

test('a body cut at every byte is read as one', async (t) => {
  const { upstream, gate, token } = await oneApp(t);
  const head = (framing) => bytes('POST /mcp/apps/app HTTP/1.1', { Host: `127.0.0.1:${gate.port}`, Authorization: `Bearer ${token}`, ...MCP_HEADERS, ...framing });
  const chunk = (text) => (text ? `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n` : '');
  const raw = await Raw.open(gate.port);
  t.after(() => raw.destroy());
  for (const [text, status] of [[params('"name":"echo"'), 200], [params('"name":"a","Name":"b"'), 400]]) {
    for (let cut = 0; cut <= text.length; cut++) {
      await raw.write(`${head({ 'Transfer-Encoding': 'chunked' })}${chunk(text.slice(0, cut))}${chunk(text.slice(cut))}0\r\n\r\n`);
      const answer = await raw.response();
      assert.equal(answer.status, status, `cut at ${cut}`);
      assert.equal(JSON.parse(answer.body).id, 7);
    }
  }
  assert.equal(upstream.requests.length, params('"name":"echo"').length + 1);
});

test('methods of HTTP', async (t) => {
  const { upstream, url, token } = await oneApp(t);
  const ask = (method, more = {}, body) => request(url, { method, body, headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, ...more } });
  for (const method of ['GET', 'DELETE']) {
    await t.test(`${method} in 2026-07-28`, async () => {
      const answer = await ask(method, { 'mcp-protocol-version': '2026-07-28' });
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.allow, 'POST');
      assert.equal(answer.json.id, null);
    });
    await t.test(`${method} of an unknown version`, async () => {
      const answer = await ask(method, { 'mcp-protocol-version': '2099-01-01' });
      assert.equal(answer.status, 400);
      assert.equal(answer.json.error.data.requested, '2099-01-01');
      assert.ok(answer.json.error.data.supported.includes('2026-07-28'));
    });
    await t.test(`${method} with a body`, async () => {
      assert.equal((await ask(method, { 'content-length': Buffer.byteLength(call()) }, call())).status, 400);
    });
  }
  assert.deepEqual(upstream.requests.splice(0), []);
  await t.test('GET without a version passes', async () => assert.equal((await ask('GET')).status, 200));
});

test('a token in the URL goes to no server', async (t) => {
  const { upstream, url, token } = await oneApp(t);
  for (const query of [`access_token=${token}`, `x=1&access_token=${token}`]) {
    const refused = await post(`${url}?${query}`, token, { body: call() });
    assert.equal(refused.status, 400);
    assert.equal(refused.json.error.code, INVALID);
    assert.equal((await request(`${url}?${query}`, { method: 'POST', body: call(), headers: MCP_HEADERS })).status, 401);
  }
  assert.deepEqual(upstream.requests, []);
  assert.equal((await post(`${url}?my_access_token=1&access_tokens=2`, token, { body: call() })).status, 200);
});

test('2026-07-28 names no session upstream', async (t) => {
  const { upstream, url, token } = await oneApp(t);
  const answer = await post(url, token, { body: modern('tools/list'), headers: { ...headers('tools/list'), 'mcp-session-id': 'someone-elses', 'last-event-id': '1' } });
  assert.equal(answer.status, 200);
  const [seen] = upstream.requests;
  assert.equal(seen.headers['mcp-session-id'], undefined);
  assert.equal(seen.headers['last-event-id'], undefined);
});

test('an MCP app served by its own name is judged alike', async (t) => {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri, public_addr: 'app.example.com' }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
  });
  const token = await issuer.token(gate.url('app'));
  const ask = (body, method = 'POST') => request(`${gate.origin}/mcp`, { method, body, headers: { ...MCP_HEADERS, host: 'app.example.com', authorization: `Bearer ${token}` } });
  assert.equal((await ask(call())).status, 200);
  const refused = await ask(params('"name":"a","Name":"b"'));
  assert.equal(refused.status, 400);
  assert.equal(refused.json.id, 7);
  assert.equal((await ask(call(), 'PUT')).status, 405);
  assert.equal(upstream.requests.length, 1);
});

test('errors of the gate name the request', async (t) => {
  const { upstream, url, token } = await oneApp(t, { limits: { response_timeout: '300ms' }, handler: () => {} });
  const late = await post(url, token, { body: call() });
  assert.equal(late.status, 504);
  assert.equal(late.json.id, 7);
  await upstream.stop();
  const gone = await post(url, token, { body: call().replace('7', '"x"') });
  assert.equal(gone.status, 502);
  assert.equal(gone.json.id, 'x');
});
