// What a caller's roles hide does not show in lists, by whatever way a list comes; everything else
// of a response stays as it is, and responses of callers whom no rule narrows are not touched.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, Raw, bytes, open, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, startEverything, startMcpProxy } from './harness/mcp.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const INTERNAL = -32603;
const TOOLS = ['echo', 'get-sum', 'get-tiny-image'];

function role(name, mcp, deny) {
  const side = (rules) => ({ app_labels: { 'gatehouse/app-sub-kind': 'mcp' }, mcp: rules });
  return { version: 'v1', kind: 'role', metadata: { name }, spec: { allow: side(mcp), ...(deny ? { deny: side(deny) } : {}) } };
}

const roles = () => [
  role('all', { tools: ['*'], prompts: ['*'], resources: ['*'] }),
  role('three', { tools: TOOLS }),
  role('some', { tools: ['echo', 'get-*'], prompts: ['simple-*'], resources: ['demo://resource/dynamic/text/*', 'demo://open/*'] },
    { tools: ['get-env'], resources: ['demo://open/secret/*'] }),
];

// A gate whose tokens name roles in their claim `groups`, before `uri` or a server that answers as
// `handler` says.
async function setUp(t, { uri, handler, limits } = {}) {
  const upstream = uri ? undefined : await Upstream.start(handler);
  if (upstream) t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const names = roles().map(({ metadata }) => metadata.name);
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: uri ?? upstream.uri }],
    resources: {
      'issuer.yaml': [authConfig('issuer', issuer, { jwt: { claims_to_roles: names.map((name) => ({ claim: 'groups', value: name, roles: [name] })) } })],
      'roles.yaml': roles(),
    },
    limits,
  });
  const url = gate.url('app');
  const tokens = {};
  for (const name of names) tokens[name] = await issuer.token(url, { groups: name });
  return { upstream, gate, url, tokens };
}

const message = (method, params = {}, id = 7) => JSON.stringify({ jsonrpc: '2.0', id, method, params });

// A server that answers each POST with what `answer` (a text, or a function of the message) says:
// `type` is "application/json" unless named; `headers`, `step`: bytes a write.
function serving(answer) {
  return async (incoming, response, seen) => {
    seen.body = await body(incoming);
    const { text, type = 'application/json', headers = {}, step, status = 200 } = await answer(seen);
    response.writeHead(status, { 'content-type': type, ...headers });
    const all = Buffer.from(text);
    response.socket.setNoDelay(true);
    for (let at = 0; step && at < all.length; at += step) {
      response.write(all.subarray(at, at + step));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end(step ? undefined : all);
  };
}

const list = (client, method) => client[method]().then((result) => Object.values(result).find(Array.isArray));

// The lists of a role, as a client sees them, are those of role `all` without what is hidden.
async function compareLists(t, kind, url, tokens, name, shown) {
  const all = await connectClient(t, kind, url, tokens.all);
  const client = await connectClient(t, kind, url, tokens[name]);
  for (const [method, key] of [['listTools', 'name'], ['listPrompts', 'name'], ['listResources', 'uri'], ['listResourceTemplates', 'uriTemplate']]) {
    const before = await list(all, method);
    assert.ok(before.length > 0, method);
    const expected = before.filter((each) => shown[method].test(each[key]));
    assert.deepEqual(await list(client, method), expected, method);
  }
}

const shown = {
  three: { listTools: /^(echo|get-sum|get-tiny-image)$/, listPrompts: /^$/, listResources: /^$/, listResourceTemplates: /^$/ },
  some: { listTools: /^(echo|get-(?!env$).*)$/, listPrompts: /^simple-/, listResources: /^demo:\/\/resource\/dynamic\/text\//, listResourceTemplates: /^demo:\/\/resource\/dynamic\/text\// },
};

test('lists of server-everything, inside SSE', async (t) => {
  const server = await startEverything(t);
  const { url, tokens } = await setUp(t, { uri: server.uri });
  for (const kind of ['v1', 'legacy', 'auto']) {
    for (const name of ['three', 'some']) await t.test(`${kind}: ${name}`, (t) => compareLists(t, kind, url, tokens, name, shown[name]));
  }
  await t.test('three are three', async (t) => {
    const client = await connectClient(t, 'v1', url, tokens.three);
    assert.deepEqual((await client.listTools()).tools.map(({ name }) => name).sort(), [...TOOLS].sort());
  });
});

test('lists of a server of both eras', async (t) => {
  const server = await startMcpProxy(t);
  const { url, tokens } = await setUp(t, { uri: server.uri });
  for (const kind of ['auto', 'modern']) {
    for (const name of ['three', 'some']) await t.test(`${kind}: ${name}`, (t) => compareLists(t, kind, url, tokens, name, shown[name]));
  }
});

// Pages of tools, written as no library would.
const pages = {
  '': { before: ' {"jsonrpc" : "2.0",\n"result":{ "tools" : [\n {"name":"echo","x":1.50,"\\u0079":[ ]} ,\n {"name":"rm"} ,\n {"name":"get-sum","e":1e2}\n ], "nextCursor":"","z":{"tools":[{"name":"rm"}]} },"id":7}\n',
    after: ' {"jsonrpc" : "2.0",\n"result":{ "tools" : [\n {"name":"echo","x":1.50,"\\u0079":[ ]} ,\n {"name":"get-sum","e":1e2}\n ], "nextCursor":"","z":{"tools":[{"name":"rm"}]} },"id":7}\n' },
  two: { before: '{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"rm"},{"name":"cp"}],"nextCursor":"three"}}',
    after: '{"jsonrpc":"2.0","id":7,"result":{"tools":[],"nextCursor":"three"}}' },
  three: { before: '{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"rm"},{"name":"get-tiny-image"}]}}',
    after: '{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"get-tiny-image"}]}}' },
};

test('pages keep every other byte', async (t) => {
  let how = {};
  const page = ({ body: text }) => pages[JSON.parse(text).params.cursor ?? ''];
  const { upstream, url, tokens } = await setUp(t, { handler: serving((seen) => how.answer(page(seen))) });
  const ways = {
    'JSON with a length': { answer: ({ before }) => ({ text: before, headers: { 'content-length': Buffer.byteLength(before) } }), expected: ({ after }) => after, raw: ({ before }) => before },
    'JSON in chunks': { answer: ({ before }) => ({ text: before, step: 7 }), expected: ({ after }) => after, raw: ({ before }) => before },
  };
  const event = (end) => (json) => `: hello${end}${end}id: 1${end}retry: 50${end}data:${end}${end}event: message${end}id: 2${end}${json.trimEnd().split('\n').map((line) => `data: ${line}${end}`).join('')}x: y${end}${end}`;
  for (const [name, end] of Object.entries({ LF: '\n', CRLF: '\r\n', CR: '\r' })) {
    for (const step of [1, 13, undefined]) {
      ways[`SSE, ${name}, ${step ?? 'all'} bytes a write`] = {
        answer: ({ before }) => ({ text: event(end)(before), type: 'text/event-stream', step }),
        expected: ({ after }) => event(end)(after),
        raw: ({ before }) => event(end)(before),
      };
    }
  }
  ways['SSE with a length'] = {
    answer: ({ before }) => ({ text: event('\n')(before), type: 'text/event-stream', headers: { 'content-length': Buffer.byteLength(event('\n')(before)) } }),
    expected: ({ after }) => event('\n')(after),
    raw: ({ before }) => event('\n')(before),
  };
  for (const [name, way] of Object.entries(ways)) {
    await t.test(name, async () => {
      how = way;
      for (const cursor of [undefined, 'two', 'three']) {
        const ask = { body: message('tools/list', { cursor }) };
        const texts = pages[cursor ?? ''];
        const narrowed = await post(url, tokens.three, ask);
        assert.equal(narrowed.status, 200);
        assert.equal(narrowed.text, way.expected(texts));
        if (narrowed.headers['content-length'] !== undefined) assert.equal(Number(narrowed.headers['content-length']), Buffer.byteLength(narrowed.text));
        const open = await post(url, tokens.all, ask);
        assert.equal(open.text, way.raw(texts));
        assert.equal(open.headers['content-length'], way.answer(texts).headers?.['content-length']?.toString());
      }
    });
  }
  await t.test('servers are asked for no encoding', async () => {
    upstream.requests.splice(0);
    for (const token of [tokens.three, tokens.all]) await post(url, token, { body: message('tools/list'), headers: { 'accept-encoding': 'gzip, br' } });
    assert.deepEqual(upstream.requests.map(({ headers }) => headers['accept-encoding']), ['identity', 'identity']);
  });
});

test('a connection goes on behind a list that was cut', async (t) => {
  const { upstream, gate, tokens } = await setUp(t, { handler: serving(() => ({ text: pages.three.before })) });
  const raw = await Raw.open(gate.port);
  t.after(() => raw.destroy());
  const ask = message('tools/list');
  const one = bytes('POST /mcp/apps/app HTTP/1.1', { ...MCP_HEADERS, host: `127.0.0.1:${gate.port}`, authorization: `Bearer ${tokens.three}`, 'content-length': ask.length }, ask);
  await raw.write(one + one);
  for (let i = 0; i < 2; i++) {
    const answer = await raw.response();
    assert.equal(answer.status, 200);
    assert.equal(answer.body, pages.three.after);
  }
  assert.equal(new Set(upstream.requests.map(({ port }) => port)).size, 1);
});

// What is not to be judged for sure never passes, and does to who sees all.
const refused = {
  'a list twice': '{"jsonrpc":"2.0","id":7,"result":{"tools":[],"tools":[{"name":"rm"}]}}',
  'a list in another case': '{"jsonrpc":"2.0","id":7,"result":{"tools":[],"Tools":[{"name":"rm"}]}}',
  'a result twice': '{"jsonrpc":"2.0","id":7,"result":{"tools":[]},"result":{"tools":[{"name":"rm"}]}}',
  'a name twice': '{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo","name":"rm"}]}}',
  'a name in another case': '{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo","Name":"rm"}]}}',
  'no name': '{"jsonrpc":"2.0","id":7,"result":{"tools":[{}]}}',
  'no object': '{"jsonrpc":"2.0","id":7,"result":{"tools":["rm"]}}',
  'no array': '{"jsonrpc":"2.0","id":7,"result":{"tools":{"name":"rm"}}}',
  'no JSON': '{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"rm"}]}',
  'a byte order mark': '\ufeff{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"rm"}]}}',
  'an array': '[{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"rm"}]}}',
  'text': 'rm',
};

test('lists that cannot be judged are errors', async (t) => {
  let how;
  const { url, gate, tokens } = await setUp(t, { handler: serving(() => how), limits: { event_size: '64KiB' } });
  const ask = { body: message('tools/list') };
  for (const [what, text] of Object.entries(refused)) {
    await t.test(`${what}, JSON`, async () => {
      how = { text };
      const answer = await post(url, tokens.three, ask);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.id, 7);
      assert.equal(answer.json.error.code, INTERNAL);
      assert.doesNotMatch(answer.text, /"rm"/);
      assert.equal((await post(url, tokens.all, ask)).text, text);
    });
    await t.test(`${what}, SSE`, async () => {
      how = { text: `id: 3\ndata: ${text}\n\n`, type: 'text/event-stream' };
      const answer = await post(url, tokens.three, ask);
      const [id, data] = answer.text.trimEnd().split('\n');
      assert.equal(id, 'id: 3');
      assert.equal(JSON.parse(data.slice(6)).error.code, INTERNAL);
      assert.equal(JSON.parse(data.slice(6)).id, 7);
      assert.equal((await post(url, tokens.all, ask)).text, how.text);
    });
  }
  await t.test('an event that does not end', async () => {
    how = { text: 'data: {"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"rm"}]}}', type: 'text/event-stream' };
    assert.doesNotMatch((await post(url, tokens.three, ask)).text, /"rm"/);
  });
  await t.test('an encoded one', async () => {
    how = { text: gzipSync(pages.two.before), headers: { 'content-encoding': 'gzip' } };
    const answer = await post(url, tokens.three, ask);
    assert.equal(answer.status, 502);
    assert.equal(answer.json.id, 7);
    assert.equal((await post(url, tokens.all, ask)).status, 200);
  });
  await t.test('two media types', async () => {
    how = { text: pages.two.before, headers: { 'content-type': ['application/json', 'text/event-stream'] } };
    assert.equal((await post(url, tokens.three, ask)).status, 502);
  });
  await t.test('a document too large', async () => {
    how = { text: JSON.stringify({ jsonrpc: '2.0', id: 7, result: { tools: [{ name: 'echo', x: 'x'.repeat(70_000) }] } }) };
    const answer = await post(url, tokens.three, ask);
    assert.equal(answer.status, 502);
    assert.equal(answer.json.id, 7);
    assert.equal((await post(url, tokens.all, ask)).text, how.text);
  });
  await t.test('an event too large', async () => {
    how = { text: `: first\n\ndata: ${how.text}\n\n`, type: 'text/event-stream' };
    const answer = await post(url, tokens.three, ask);
    assert.equal(answer.status, 200);
    const [first, last] = answer.text.split('\n\n');
    assert.equal(first, ': first');
    const { id, error } = JSON.parse(/^data: (.*)$/m.exec(last)[1]);
    assert.equal(id, 7);
    assert.equal(error.code, INTERNAL);
    assert.match(error.message, /too large/);
    assert.equal((await post(url, tokens.all, ask)).text, how.text);
  });
  await t.test('what is not a list is not read', async () => {
    how = { text: refused['no JSON'] };
    const answer = await post(url, tokens.three, { body: message('tools/call', { name: 'echo' }) });
    assert.equal(answer.text, how.text);
  });
  await t.test('what accepts a message is not read', async () => {
    how = { text: 'Accepted', status: 202 };
    const answer = await post(url, tokens.three, { body: '{"jsonrpc":"2.0","id":3,"result":{}}' });
    assert.deepEqual([answer.status, answer.text], [202, 'Accepted']);
    how = { text: '', step: 1 };
    assert.deepEqual((await post(url, tokens.three, { body: '{"jsonrpc":"2.0","id":3,"result":{}}' })).status, 200);
  });
  await t.test('and the log says why', () => gate.logged(/answer_refused.*a member appears twice/));
});

test('the server stops amid a document', async (t) => {
  const { url, tokens } = await setUp(t, {
    handler: async (incoming, response, seen) => {
      seen.body = await body(incoming);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"jsonrpc":"2.0","id":7,');
      if (seen.body.includes('"stall"')) return;
      setImmediate(() => response.destroy());
    },
    limits: { response_timeout: '300ms' },
  });
  for (const [cursor, status] of [['cut', 502], ['stall', 504]]) {
    const answer = await post(url, tokens.three, { body: message('tools/list', { cursor }) });
    assert.equal(answer.status, status);
    assert.equal(answer.json.id, 7);
  }
});

test('batches of 2025-03-26', async (t) => {
  const results = [
    '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"rm"},{"name":"echo"}]}}',
    '{"jsonrpc":"2.0","id":"x","result":{"prompts":[{"name":"p"}]}}',
    '{"jsonrpc":"2.0","id":3,"result":{"tools":1}}',
    '{"jsonrpc":"2.0","id":4,"result":{}}',
  ];
  let type;
  const text = () => (type === 'application/json' ? `[ ${results.join(' , ')} ]` : results.map((each) => `data: ${each}\n\n`).join(''));
  const { url, tokens } = await setUp(t, { handler: serving(() => ({ text: text(), type })) });
  const ask = {
    body: `[${[message('tools/list', {}, 1), message('prompts/list', {}, 'x'), message('tools/list', {}, 3), message('ping', {}, 4)].join()}]`,
    headers: { 'mcp-protocol-version': '2025-03-26' },
  };
  const check = (answers) => {
    assert.deepEqual(answers.map(({ id }) => id), [1, 'x', 3, 4]);
    assert.deepEqual(answers[0].result, { tools: [{ name: 'echo' }] });
    assert.deepEqual(answers[1].result, { prompts: [] });
    assert.equal(answers[2].error.code, INTERNAL);
    assert.deepEqual(answers[3].result, {});
  };
  for (type of ['application/json', 'text/event-stream']) {
    await t.test(type, async () => {
      const answer = await post(url, tokens.three, ask);
      assert.equal(answer.status, 200, answer.text);
      check(type === 'application/json' ? answer.json : answer.text.trimEnd().split('\n\n').map((each) => JSON.parse(each.slice(6))));
      assert.equal((await post(url, tokens.all, ask)).text, text());
    });
  }
});

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
const modern = (method, params = {}, name) => ({
  body: message(method, { ...params, _meta: META }),
  headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(name === undefined ? {} : { 'mcp-name': name }) },
});

test('2026-07-28: what depends on the caller is private, and embeds only what is known', async (t) => {
  let text;
  const { url, tokens } = await setUp(t, { handler: serving(() => ({ text })) });
  const result = (members) => `{"jsonrpc":"2.0","id":7,"result":${members}}`;
  const scopes = {
    '{"cacheScope":"public","tools":[],"ttlMs":5}': '{"cacheScope":"private","tools":[],"ttlMs":5}',
    '{"tools":[],"ttlMs":5,"cacheScope":"private"}': '{"tools":[],"ttlMs":5,"cacheScope":"private"}',
    '{"tools":[],"ttlMs":5}': '{"tools":[],"ttlMs":5,"cacheScope":"private"}',
  };
  for (const [before, after] of Object.entries(scopes)) {
    await t.test(before, async () => {
      text = result(before);
      assert.equal((await post(url, tokens.three, modern('tools/list'))).text, result(after));
      assert.equal((await post(url, tokens.all, modern('tools/list'))).text, text);
    });
  }
  const ask = modern('tools/call', { name: 'echo' }, 'echo');
  const inputs = (...methods) => result(`{"resultType":"input_required","inputRequests":{${methods.map((method, i) => `"${i}":{"method":"${method}","params":{}}`)}},"requestState":"s"}`);
  await t.test('embedded requests', async () => {
    text = inputs('sampling/createMessage', 'elicitation/create', 'roots/list');
    assert.equal((await post(url, tokens.three, ask)).text, text);
    text = inputs('roots/list', 'tools/call');
    assert.equal((await post(url, tokens.three, ask)).json.error.code, INTERNAL);
    assert.equal((await post(url, tokens.all, ask)).text, text);
  });
});

const updated = (uri) => `data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"${uri}"}}\n\n`;

// A server with one event stream for each GET: `streams` are open ones, by the order they came.
async function streaming(t, options) {
  const streams = [];
  const set = await setUp(t, {
    handler: async (incoming, response, seen) => {
      seen.body = await body(incoming);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      streams.push(response);
    },
    ...options,
  });
  const listen = async (token, headers = {}) => {
    const count = streams.length;
    const response = await open(set.url, { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}`, ...headers } });
    assert.equal(response.status, 200);
    t.after(() => response.request.destroy());
    const stream = { text: '', upstream: streams[count], response };
    response.stream.setEncoding('utf8');
    response.stream.on('data', (piece) => (stream.text += piece));
    response.stream.on('end', () => (stream.ended = true));
    return stream;
  };
  return { ...set, streams, listen };
}

test('streams that answer nobody in particular', async (t) => {
  const { upstream, tokens, listen } = await streaming(t);
  const sent = [
    ': hi\r\n\r\nid: 1\nretry: 3\ndata:\n\n',
    `id: 2\n${updated('demo://open/a')}`,
    `id: 3\n${updated('demo://shut/a')}`,
    `id: 4\n${updated('demo://open/secret/a')}`,
    'id: 5\ndata: {"jsonrpc":"2.0","id":9,"result":{"tools":[{"name":"rm"},{"name":"echo"}]}}\n\n',
    'id: 6\ndata: {"jsonrpc":"2.0","id":10,"result":{"resourceTemplates":[{"uriTemplate":"demo://shut/{x}"},{"uriTemplate":"demo://open/{x}"}]}}\n\n',
    'id: 7\ndata: {"jsonrpc":"2.0","id":3,"method":"sampling/createMessage","params":{"tools":[{"name":"rm"}]}}\n\n',
    'id: 8\ndata: {"jsonrpc":"2.0","id":11,"result":{"tools":1}}\n\n',
    'id: 9\ndata: {"jsonrpc":"2.0","result":{"tools":1}}\n\n',
    'id: 10\ndata: the end\n\n: end\n\n',
  ];
  const expected = [
    sent[0], sent[1],
    'id: 5\ndata: {"jsonrpc":"2.0","id":9,"result":{"tools":[{"name":"echo"}]}}\n\n',
    'id: 6\ndata: {"jsonrpc":"2.0","id":10,"result":{"resourceTemplates":[{"uriTemplate":"demo://open/{x}"}]}}\n\n',
    sent[6],
    'id: 8\ndata: {"jsonrpc":"2.0","error":{"code":-32603,"message":"The server\'s answer cannot be judged: a list is no array"},"id":11}\n\n',
    ': end\n\n',
  ].join('');
  for (const [name, headers] of [['standalone', {}], ['resumed', { 'last-event-id': '1' }]]) {
    await t.test(name, async () => {
      const narrowed = await listen(tokens.some, headers);
      const open = await listen(tokens.all, headers);
      assert.equal(upstream.requests.at(-1).headers['last-event-id'], headers['last-event-id']);
      for (const text of sent) for (const stream of [narrowed, open]) stream.upstream.write(text);
      for (const stream of [narrowed, open]) await waitFor('the last event', () => stream.text.endsWith(': end\n\n'));
      assert.equal(narrowed.text, expected);
      assert.equal(open.text, sent.join(''));
    });
  }
});

test('half an event is held, and comments keep the stream alive meanwhile', async (t) => {
  const { tokens, listen } = await streaming(t, { limits: { stream_keepalive: '50ms' } });
  const stream = await listen(tokens.some);
  stream.upstream.write('data: {"jsonrpc":"2.0","method":"notifications/message",');
  await waitFor('comments', () => stream.text.split(': keep-alive\n\n').length > 3);
  assert.equal(stream.text.replaceAll(': keep-alive\n\n', ''), '');
  stream.upstream.write('"params":{}}\n\n');
  await waitFor('the event', () => stream.text.includes('data:'));
  assert.equal(stream.text.replaceAll(': keep-alive\n\n', ''), 'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n');
});

test('a stream that is not taken holds the server back', async (t) => {
  const { tokens, listen } = await streaming(t);
  const stream = await listen(tokens.some);
  stream.response.stream.pause();
  const event = `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"${'x'.repeat(100_000)}"}}\n\n`;
  const most = 2000;
  let sent = 0;
  for (; sent < most && stream.upstream.writableLength < 4_000_000; sent++) {
    stream.upstream.write(event);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sent < most, 'the gate took all of it');
  stream.response.stream.resume();
  stream.upstream.end(': end\n\n');
  await waitFor('the end', () => stream.ended, { deadline: 30_000 });
  assert.equal(stream.text.length, sent * event.length + 7);
  assert.ok(stream.text.endsWith(': end\n\n'));
});

test('a policy that changes is that of open streams', async (t) => {
  const { gate, tokens, listen } = await streaming(t);
  const stream = await listen(tokens.all);
  const half = await listen(tokens.all);
  let turn = 0;
  // Whether an update of a resource of `demo://shut` still comes.
  const leaks = async () => {
    turn++;
    stream.upstream.write(`${updated(`demo://shut/${turn}`)}: turn ${turn}\n\n`);
    await waitFor('the turn', () => stream.text.includes(`: turn ${turn}\n\n`));
    return stream.text.includes(`demo://shut/${turn}"`);
  };
  assert.equal(await leaks(), true);
  half.upstream.write('data: {"jsonrpc"');
  await waitFor('half an event', () => half.text.length > 0);
  const changed = roles().filter(({ metadata }) => metadata.name !== 'all');
  gate.writeResource('roles.yaml', role('all', { tools: ['*'], prompts: ['*'], resources: ['demo://open/*'] }), ...changed);
  await waitFor('the new policy', async () => !(await leaks()));
  await t.test('a stream amid an event ends', () => waitFor('its end', () => half.ended || half.response.stream.destroyed));
  await t.test('and back', async () => {
    gate.writeResource('roles.yaml', ...roles());
    await waitFor('the old policy', leaks);
  });
});
