// `gatehouse demo-server --stdio`, by itself, with the clients of both SDK lines.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as TransportV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { GATEHOUSE } from './harness/gateway.mjs';
import { waitFor } from './harness/wait.mjs';

const information = { name: 'gatehouse-tests', version: '1.0.0' };
const server = { command: GATEHOUSE, args: ['demo-server', '--stdio'], stderr: 'ignore' };

const clients = {
  v1: () => [new ClientV1(information), new TransportV1(server)],
  legacy: () => [new ClientV2(information, { versionNegotiation: { mode: 'legacy' } }), new TransportV2(server)],
  auto: () => [new ClientV2(information, { versionNegotiation: { mode: 'auto' } }), new TransportV2(server)],
  modern: () => [new ClientV2(information, { versionNegotiation: { mode: { pin: '2026-07-28' } } }), new TransportV2(server)],
};

for (const [kind, make] of Object.entries(clients)) {
  test(`SDK client ${kind}`, async (t) => {
    const [client, transport] = make();
    t.after(() => client.close().catch(() => {}));
    await client.connect(transport);
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name), ['echo', 'add', 'slow_count']);
    const text = (result) => result.content.map((part) => part.text).join('');
    const message = 'line\nline \u2028 "quoted" \\ \u{1f600}'.repeat(5000);
    assert.equal(text(await client.callTool({ name: 'echo', arguments: { message } })), message);
    assert.equal(text(await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } })), '5');
    const seen = [];
    const call = { name: 'slow_count', arguments: { to: 3, delay_ms: 50 } };
    const options = { onprogress: ({ progress }) => seen.push(progress) };
    const counted = await (kind === 'v1' ? client.callTool(call, undefined, options) : client.callTool(call, options));
    assert.match(text(counted), /Counted to 3/);
    // Those that come together with the result are lost in the SDK, which has forgotten whom to tell.
    assert.ok(seen.length >= 1);
    assert.deepEqual(seen, [1, 2, 3].slice(0, seen.length));
    await assert.rejects(client.callTool({ name: 'nothing', arguments: {} }));
  });
}

// Lines as no client would write them.
function raw(t) {
  const child = spawn(server.command, server.args, { stdio: ['pipe', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop();
    lines.push(...parts.map((line) => JSON.parse(line)));
  });
  return { child, lines, ended: new Promise((resolve) => child.once('close', (status, signal) => resolve({ status, signal }))) };
}

test('what is no message is answered with an error, and the next line counts', async (t) => {
  const { child, lines, ended } = raw(t);
  child.stdin.write('rubbish\n\n[]\r\n{"jsonrpc":"2.0","id":1,"method":"no/such"}\n');
  child.stdin.write('{"jsonrpc":"2.0","id":2,');
  await waitFor('three answers', () => lines.length === 3);
  child.stdin.write('"method":"ping"}\n');
  await waitFor('the fourth', () => lines.length === 4);
  assert.deepEqual(lines.map(({ id, error }) => [id, error?.code]), [[null, -32700], [null, -32600], [1, -32601], [2, undefined]]);
  child.stdin.end();
  assert.deepEqual(await ended, { status: 0, signal: null });
});

test('calls run side by side, and a cancelled one is not answered', async (t) => {
  const { child, lines, ended } = raw(t);
  const call = (id, to, delay) => child.stdin.write(`${JSON.stringify({
    jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'slow_count', arguments: { to, delay_ms: delay }, _meta: { progressToken: `t-${id}` } } })}\n`);
  call('a', 100, 60_000);
  call('b', 1, 1);
  await waitFor('b', () => lines.some(({ id }) => id === 'b'));
  call('c', 2, 10);
  child.stdin.write('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"c"}}\n{"jsonrpc":"2.0","id":"d","method":"ping"}\n');
  call('e', 5, 10);
  await waitFor('e', () => lines.some(({ id }) => id === 'e'));
  assert.deepEqual(lines.filter(({ id }) => id !== undefined).map(({ id }) => id), ['b', 'd', 'e']);
  const progress = lines.filter(({ params }) => params?.progressToken === 't-e').map(({ params }) => params.progress);
  assert.deepEqual(progress, [1, 2, 3, 4, 5]);
  child.stdin.end(); // a still counts, and is given up
  assert.deepEqual(await ended, { status: 0, signal: null });
});
