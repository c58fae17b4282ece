// stdio servers that misbehave, each beside one that does not: they cost their own sessions, no more,
// and nothing of them is left.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { test } from 'node:test';
import { GATEHOUSE, Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, open, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient } from './harness/mcp.mjs';
import { privateMemory } from './harness/process.mjs';
import { marked } from './harness/vitals.mjs';
import { patience, waitFor } from './harness/wait.mjs';

const LEFT = 10_000; // milliseconds after which nothing of a server may be left
const MEBIBYTE = 1 << 20;
const user = process.getuid() === 0 ? { run_as_host_user: 'nobody' } : {};
const INITIALIZE = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } } });

// A server that answers each request by `answer(message)`, its text, where `say(text)` writes bytes.
const server = (answer, begin = '') => `
const say = (...text) => process.stdout.write(...text);
const reply = (id, result) => say(JSON.stringify({ jsonrpc: '2.0', id, result: typeof result === 'string' ? { said: result } : result }) + '\\n');
const answer = ${answer};
${begin}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.id === undefined) return;
  if (message.method === 'initialize') {
    reply(message.id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'bad', version: '1' } });
  } else if (message.method === 'server/discover') {
    reply(message.id, { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, ttlMs: 0, cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'bad', version: '1' } } });
  } else answer(message);
});`;

async function setUp(t, script, { mcp = {}, ...stdio } = {}) {
  const issuer = await Issuer.make();
  const mark = randomUUID();
  const app = (name, command, args, word) => ({ name, mcp: { command, args, env: { GATEHOUSE_TEST: word }, ...user, ...(name === 'bad' ? mcp : {}) } });
  const gate = await Gateway.start(t, {
    apps: [app('bad', process.execPath, ['-e', script], mark), app('good', GATEHOUSE, ['demo-server', '--stdio'], randomUUID())],
    gate: { stdio: { users: ['nobody'], line_size: '64KiB', queue_size: '64KiB', stop_timeout: '1s', kill_timeout: '1s', ...stdio } },
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
  });
  const good = await begin(gate, issuer, 'good');
  return {
    gate, issuer, begin: () => begin(gate, issuer, 'bad'),
    gone: () => waitFor('nothing to be left', () => marked(mark).length === 0, { deadline: LEFT }),
    // The neighbour is served, and has the server that it had.
    goodLives: async () => {
      const answer = await good.call({ name: 'echo', arguments: { message: 'still here' } });
      assert.match(answer.text, /still here/);
    },
  };
}

async function begin(gate, issuer, app) {
  const url = gate.url(app);
  const token = await issuer.token(url);
  const answer = await post(url, token, { body: INITIALIZE });
  assert.equal(answer.status, 200, answer.text);
  const headers = { ...MCP_HEADERS, authorization: `Bearer ${token}`, 'mcp-session-id': answer.headers['mcp-session-id'], 'mcp-protocol-version': '2025-11-25' };
  assert.equal((await request(url, { method: 'POST', headers, body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' })).status, 202);
  const agent = new Agent();
  const calling = (params, id = 'c') => ({ method: 'POST', headers, agent, body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }) });
  return { call: (params) => request(url, calling(params)), opens: (params, id) => open(url, calling(params, id)), leave: () => agent.destroy(), close: () => request(url, { method: 'DELETE', headers }), over: () => waitFor('404', async () => (await request(url, calling({ name: 'x' }))).status === 404) };
}

const memoryOf = (gate) => privateMemory(gate.children('bridge')[0].pid);
// A sanitizer keeps what was freed for a while.
const SLACK = (patience === 1 ? 2 : 64) * MEBIBYTE;

for (const [what, script] of Object.entries({
  'a line that is too long': server(`({ id }) => reply(id, 'x'.repeat(100_000))`),
  'a line without an end': server(`() => { const more = () => say('x'.repeat(30_000), more); more(); }`),
})) {
  test(what, async (t) => {
    const { gate, begin, gone, goodLives } = await setUp(t, script);
    const session = await begin();
    const before = memoryOf(gate);
    const answer = await session.call({ name: 'x' });
    assert.match(answer.text, /"code":-32603,"message":"the server ended; error id [0-9a-f]{8}"/);
    await waitFor('a word in the log', () => /server_over: app bad, .* longer than gate\.stdio\.line_size/.test(gate.log));
    await session.over();
    await gone();
    await goodLives();
    assert.ok(memoryOf(gate) < before + SLACK);
  });
}

test('a server that no longer reads', async (t) => {
  const block = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)';
  const { gate, begin, gone, goodLives } = await setUp(t, server(`({ id }) => { reply(id, 'the last'); ${block}; }`));
  const session = await begin();
  assert.match((await session.call({ name: 'x' })).text, /"the last"/);
  const before = memoryOf(gate);
  // More than a pipe takes, and the queue: the rest is refused, and told so.
  const refused = [];
  const cuts = [];
  for (let i = 0; i < 40; i++) {
    session.opens({ name: 'x', arguments: { text: 'y'.repeat(30_000) } }, i).then(async (answer) => {
      cuts.push(answer);
      refused.push(await answer.text());
    }).catch(() => {});
  }
  await waitFor('refusals', () => refused.length >= 30).catch((error) => assert.fail(`${error.message}: ${refused.length} of ${cuts.length}`));
  for (const text of refused) assert.match(text, /"error"/);
  t.diagnostic(refused[0]);
  await goodLives();
  assert.ok(memoryOf(gate) < before + SLACK);
  session.leave();
  await session.close();
  await gone();
  await goodLives();
});

test('garbage before, between and after messages', async (t) => {
  const { begin, goodLives } = await setUp(t, server(`({ id }) => {
    say('\\0\\0\\xff\\n[]\\n[{"jsonrpc":"2.0","id":1,"result":{}}]\\n"text"\\n{"jsonrpc":"2.0"}\\n{"jsonrpc":"1.0","id":1,"result":{}}\\n');
    reply(4711, 'nobody asked');
    reply(null, 'nobody asked');
    say('{"jsonrpc":"2.0","id":{"a":1},"result":{}}\\n{"jsonrpc":"2.0","method":5}\\n\\r\\n');
    reply(id, 'the answer');
    reply(id, 'another answer');
  }`, `say('Welcome!\\n\\x1b[1mversion 1\\x1b[0m\\n');`));
  const session = await begin();
  for (let i = 0; i < 3; i++) {
    const { text } = await session.call({ name: 'x' });
    assert.match(text, /"the answer"/);
    assert.doesNotMatch(text, /another|nobody/);
  }
  await goodLives();
});

test('answers that are none are told to their callers at once', async (t) => {
  const { gate, begin, goodLives } = await setUp(t, server(`({ id, params: { arguments: { answer } } }) => say(JSON.stringify({ jsonrpc: '2.0', id, ...answer }) + '\\n')`));
  const session = await begin();
  for (const answer of [{ result: 7 }, { result: [] }, { result: null }, {}, { error: 'no' }, { result: {}, error: { code: 1, message: 'x' } }]) {
    const { status, json } = await session.call({ name: 'x', arguments: { answer } });
    assert.equal(status, 200);
    assert.deepEqual(json, { jsonrpc: '2.0', id: 'c', error: { code: -32603, message: "the server's answer breaks JSON-RPC 2.0" } });
  }
  await gate.logged(/server_answer: app bad/, 6);
  assert.match((await session.call({ name: 'x', arguments: { answer: { result: { said: 'better' } } } })).text, /better/);
  await goodLives();
});

test('a flood on standard error', async (t) => {
  const { gate, begin, goodLives } = await setUp(t, server(`({ id }) => { let left = 3000; const more = () => { if (left-- > 0) process.stderr.write(('flood '.repeat(50) + '\\n').repeat(20), more); else reply(id, 'flooded'); }; more(); }`));
  const session = await begin();
  const before = memoryOf(gate);
  const flooding = session.call({ name: 'x' });
  await goodLives();
  assert.match((await flooding).text, /"flooded"/);
  await goodLives();
  assert.ok(gate.log.length < MEBIBYTE, `${gate.log.length} bytes of log`);
  assert.ok(memoryOf(gate) < before + SLACK);
});

test('a server that closes its output and stays, deaf to SIGTERM', async (t) => {
  const { begin, gone, goodLives } = await setUp(t, server(`() => { process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); require('node:fs').closeSync(1); }`));
  const session = await begin();
  assert.match((await session.call({ name: 'x' })).text, /"the server ended; error id/);
  await gone();
  await goodLives();
});

for (const scope of ['session', 'user', 'shared']) {
  for (const era of ['legacy', 'modern']) {
    test(`a server of scope ${scope} that never answers a ${era} client, which leaves, is reaped`, async (t) => {
      const { gate, issuer, begin, gone } = await setUp(t, server('() => {}'), { mcp: { scope }, idle_timeout: '1s' });
      if (era === 'legacy') {
        const session = await begin();
        (await session.opens({ name: 'x' })).request.destroy();
      } else {
        const client = await connectClient(t, 'modern', gate.url('bad'), await issuer.token(gate.url('bad')));
        const controller = new AbortController();
        const call = assert.rejects(client.callTool({ name: 'x' }, { signal: controller.signal }));
        await waitFor('the server', async () => /server_started: app bad/.test(gate.log));
        controller.abort('enough');
        await call;
        await client.close();
      }
      await gone();
    });
  }
}
