// Arguments that a tool's calls repeat in headers (MCP 2026-07-28): compared once the tool is known,
// forwarded untouched always.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient } from './harness/mcp.mjs';
import { ModernServer, PLACE, modern } from './harness/modern.mjs';

const MISMATCH = -32020;
const INVALID = -32600;

// One worker, so that what one request taught it another is judged by.
async function setUp(t, options) {
  const servers = [await ModernServer.start(t, options), await ModernServer.start(t, options)];
  const issuer = await Issuer.make('https://one.example.com');
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: servers[0].uri }, { name: 'other', uri: servers[1].uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    workers: 1,
  });
  const tokens = { app: await issuer.token(gate.url('app')), other: await issuer.token(gate.url('other')) };
  const ask = (message, app = 'app') => post(gate.url(app), tokens[app], message);
  const call = (given, headers = {}, { app, name = 'place' } = {}) => ask(modern('tools/call', { name, ...(given === undefined ? {} : { arguments: given }) }, { headers }), app);
  return { server: servers[0], other: servers[1], gate, tokens, ask, call, list: (app) => ask(modern('tools/list'), app) };
}

test('a client of the SDK calls annotated tools', async (t) => {
  const { server, gate, tokens } = await setUp(t);
  const client = await connectClient(t, 'modern', gate.url('app'), tokens.app);
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map(({ name }) => name), ['place', 'plain']);
  const values = [
    { region: 'us-west1', count: 42, dry: true, at: { rack: 'r1' }, note: 'x' },
    { region: 'Hello, 世界', count: -7, dry: false },
    { region: ' padded ' }, { region: 'line1\nline2' }, { region: '=?base64?literal?=' }, { region: '' },
    { region: null, count: 0 }, {},
  ];
  for (const given of values.filter((value) => value.region !== null)) {
    const { content } = await client.callTool({ name: 'place', arguments: given });
    assert.deepEqual(JSON.parse(content[0].text), given);
  }
  const { headers } = server.requests.find(({ message }) => message.params?.arguments?.count === 42);
  for (const [name, value] of Object.entries({ region: 'us-west1', count: '42', 'dry-run': 'true', rack: 'r1' })) {
    assert.equal(headers[`mcp-param-${name}`], value);
  }
});

const AGREE = [
  [{ region: 'us' }, { 'Mcp-Param-Region': 'us' }],
  [{ region: 'us' }, { 'mcp-param-region': '=?base64?dXM=?=' }],
  [{ count: 42 }, { 'Mcp-Param-Count': '42.0' }],
  [{ dry: false }, { 'Mcp-Param-Dry-Run': 'false' }],
  [{ at: { rack: 'r' } }, { 'Mcp-Param-Rack': 'r' }],
  [{ note: 'x' }, { 'Mcp-Param-Unknown': 'y' }],
  [{}, {}],
  [undefined, {}],
];
const DIFFER = [
  [{ region: 'us' }, {}],
  [{ region: 'us' }, { 'Mcp-Param-Region': 'eu' }],
  [{ region: 'us' }, { 'Mcp-Param-Region': 'US' }],
  [{ region: 'us' }, { 'Mcp-Param-Region': ['us', 'us'] }],
  [{ region: 'us' }, { 'Mcp-Param-Region': 'us', Mcp_Param_Region: 'eu' }],
  [{ region: 'us' }, { 'Mcp-Param-Region': '=?base64?dXM?=' }],
  [{ count: 42 }, { 'Mcp-Param-Count': '43' }],
  [{ count: 42 }, {}],
  [{ dry: true }, { 'Mcp-Param-Dry-Run': 'false' }],
  [{ at: { rack: 'r' } }, { 'Mcp-Param-Rack': 's' }],
  [{}, { 'Mcp-Param-Region': 'us' }],
  [undefined, { 'Mcp-Param-Region': 'us' }],
  [{ region: null }, { 'Mcp-Param-Region': 'null' }],
];

test('headers and arguments of a known tool agree', async (t) => {
  const { server, ask, call, list } = await setUp(t);
  const withArguments = (text, headers) => {
    const message = modern('tools/call', { name: 'place', arguments: { x: 1 } }, { headers });
    return ask({ ...message, body: message.body.replace('{"x":1}', text) });
  };

  await t.test('a tool that is not known yet is for its server to judge', async () => {
    const answer = await call({ region: 'us' }, { 'Mcp-Param-Region': 'eu' });
    assert.equal(server.requests.at(-1).headers['mcp-param-region'], 'eu');
    assert.equal(answer.status, 400, 'the SDK\'s own check');
    assert.match(answer.json.error.message, /disagree/);
  });
  assert.equal((await list()).status, 200);
  for (const [given, headers] of AGREE) {
    await t.test(`agree: ${JSON.stringify(given)} with ${JSON.stringify(headers)}`, async () => {
      const answer = await call(given, headers);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.error, undefined, answer.text);
      for (const [name, value] of Object.entries(headers)) assert.equal(server.requests.at(-1).headers[name.toLowerCase()], value);
    });
  }
  server.requests.splice(0);
  for (const [given, headers] of DIFFER) {
    await t.test(`differ: ${JSON.stringify(given)} with ${JSON.stringify(headers)}`, async () => {
      const answer = await call(given, headers);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.error.code, MISMATCH);
      assert.equal(answer.json.id, 7);
      assert.equal(answer.headers['gatehouse-error-origin'], 'gateway');
      assert.deepEqual(server.requests, []);
    });
  }
  for (const text of ['{"region":"us","region":"eu"}', '{"region":"us","Region":"eu"}', '{"at":{"rack":"a"},"at":{"rack":"us"}}', '{"region":"us","r\\u0065gion":"eu"}']) {
    await t.test(`two readings: ${text}`, async () => {
      const answer = await withArguments(text, { 'Mcp-Param-Region': 'us', 'Mcp-Param-Rack': 'us' });
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.error.code, INVALID);
      assert.deepEqual(server.requests, []);
    });
  }
  await t.test('tools without annotations, and unknown ones, pass', async () => {
    assert.equal((await call({ region: 'us' }, {}, { name: 'plain' })).status, 200);
    const answer = await call({ region: 'us' }, {}, { name: 'Place' });
    assert.equal(answer.json.error.code, -32602);
    assert.equal(server.requests.length, 2);
  });
});

test('what one app\'s server says counts for no other', async (t) => {
  const { server, other, call, list } = await setUp(t);
  other.schemas = { place: { type: 'object', properties: { region: { type: 'string' } } } };
  await list();
  await list('other');
  assert.equal((await call({ region: 'us' }, {}, { app: 'other' })).status, 200);
  assert.equal((await call({ region: 'us' }, {})).status, 400);
  assert.equal(server.requests.length, 1);
});

test('a server may change its mind', async (t) => {
  const { server, call, list } = await setUp(t);
  await list();
  assert.equal((await call({ region: 'us' })).status, 400);
  server.schemas = { place: { type: 'object', properties: { region: { type: 'string' } } } };
  server.requests.splice(0);
  assert.equal((await call({ region: 'us' })).status, 400, 'by what the gate knows');
  assert.deepEqual(server.requests, []);
  await list(); // as the specification tells clients to
  assert.equal((await call({ region: 'us' })).status, 200);
  server.schemas = { place: PLACE };
  assert.equal((await call({ region: 'us' })).status, 400, 'by what the server knows');
  assert.equal(server.requests.length, 3);
});

test('a list in an event stream is learned from, and hostile ones are not', async (t) => {
  let tools;
  const { server, call, list } = await setUp(t, {
    intercept(message, incoming, outgoing) {
      if (message.method !== 'tools/list') return undefined;
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      outgoing.end(`event: message\ndata: {"jsonrpc":"2.0","id":${message.id},"result":{"resultType":"complete","tools":${tools}}}\n\n`);
      return true;
    },
  });
  const refused = async () => {
    const before = server.requests.length;
    await call({ region: 'us' });
    return server.requests.length === before;
  };
  const place = (schema) => `{"name":"place","inputSchema":${schema}}`;
  const good = place(JSON.stringify(PLACE));
  const invalid = {
    'an annotation of an array\'s items': place('{"properties":{"region":{"type":"string","x-mcp-header":"Region"}},"items":{"x-mcp-header":"a"}}'),
    'a header name that is none': place('{"properties":{"region":{"type":"string","x-mcp-header":"Re gion"}}}'),
    'two annotations': place('{"properties":{"region":{"type":"string","x-mcp-header":"Region","x-mcp-header":"a"}}}'),
    'too many annotations': place(`{"properties":{${Array.from({ length: 17 }, (_, i) => `"p${i}":{"type":"string","x-mcp-header":"h${i}"}`).join(',')}}}`),
    'nothing at all': '1',
  };
  for (const [what, tool] of Object.entries(invalid)) {
    await t.test(what, async () => {
      tools = `[${good}]`;
      assert.equal((await list()).status, 200);
      assert.equal(await refused(), true);
      tools = `[${tool}]`;
      const answer = await list();
      assert.ok(answer.text.includes(`"tools":${tools}`), 'it passes byte for byte');
      assert.equal(await refused(), what === 'nothing at all');
    });
  }
});
