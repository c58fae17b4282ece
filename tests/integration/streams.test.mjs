// Server-sent events and large answers: order, delay, memory, and who ends what.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MCP_HEADERS, PING, Raw, bytes, open } from './harness/http.mjs';
import { oneApp } from './harness/one_app.mjs';
import { privateMemory } from './harness/process.mjs';
import { waitFor } from './harness/wait.mjs';

const MIB = 1024 * 1024;
// Sanitizers keep freed memory for a while and pad what is used.
const SANITIZED = /sanitized|asan/.test(process.env.GATEHOUSE_BIN ?? '');

async function setUp(t, handler, options) {
  const parts = await oneApp(t, { handler, workers: 1, ...options });
  const start = () => open(parts.url, { method: 'POST', body: PING, headers: { ...MCP_HEADERS, authorization: `Bearer ${parts.token}` } });
  return { ...parts, start };
}

function sse(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
}

test('10 000 events, 1 ms apart, arrive complete, in order and at once', async (t) => {
  const COUNT = 10_000;
  const { start } = await setUp(t, (request, response) => {
    request.resume();
    sse(response);
    let sent = 0;
    const begin = performance.now();
    // A timer may fire late: it then sends all that are due, each with its own time.
    const timer = setInterval(() => {
      const due = Math.min(COUNT, Math.floor(performance.now() - begin));
      while (sent < due) response.write(`id: ${sent}\ndata: ${JSON.stringify({ n: sent++, at: performance.now() })}\n\n`);
      if (sent === COUNT) {
        clearInterval(timer);
        response.end();
      }
    }, 1);
    response.on('close', () => clearInterval(timer));
  });
  const { stream, status, headers } = await start();
  assert.equal(status, 200);
  assert.match(headers['content-type'], /^text\/event-stream/);
  const delays = [];
  let rest = '';
  let expected = 0;
  stream.setEncoding('utf8');
  for await (const text of stream) {
    const now = performance.now();
    rest += text;
    const events = rest.split('\n\n');
    rest = events.pop();
    for (const event of events) {
      if (event.startsWith(':')) continue;
      const [, id, data] = /^id: (\d+)\ndata: (.*)$/.exec(event);
      const { n, at } = JSON.parse(data);
      assert.equal(n, expected);
      assert.equal(Number(id), expected);
      expected++;
      delays.push(now - at);
    }
  }
  assert.equal(expected, COUNT);
  assert.equal(rest, '');
  delays.sort((a, b) => a - b);
  const median = delays[COUNT / 2];
  t.diagnostic(`delay: median ${median.toFixed(2)} ms, 99 % ${delays[COUNT * 0.99].toFixed(2)} ms`);
  assert.ok(median <= 5, `median ${median} ms`);
});

test('event bytes pass unchanged: priming, retry, comments, CRLF', async (t) => {
  const events = ': hello\r\n\r\nretry: 3000\nid: 1\ndata:\n\nevent: message\rdata: {"a":"ä"}\r\rid: 2\ndata: x\ndata: y\n\n';
  const { start } = await setUp(t, (request, response) => {
    request.resume();
    sse(response);
    response.end(events);
  });
  const answer = await start();
  assert.equal(await answer.text(), events);
});

test('the head of a stream is sent before its first event', async (t) => {
  let held;
  const { start } = await setUp(t, (request, response) => {
    request.resume();
    sse(response);
    response.flushHeaders();
    held = response;
  });
  const answer = await start();
  assert.equal(answer.status, 200);
  held.end('data: late\n\n');
  assert.equal(await answer.text(), 'data: late\n\n');
});

test('a silent stream is kept alive by comments, between events only', async (t) => {
  const held = [];
  const { start } = await setUp(t, (request, response) => {
    request.resume();
    sse(response);
    response.write(held.length === 0 ? 'data: half' : 'data: whole\n\n');
    held.push(response);
  }, { limits: { stream_keepalive: '100ms' } });
  const listen = async () => {
    const { stream } = await start();
    const got = { text: '', stream, comments: () => (got.text.match(/^:/gm) ?? []).length };
    stream.setEncoding('utf8').on('data', (part) => (got.text += part));
    await waitFor('the first bytes', () => got.text.startsWith('data: '));
    return got;
  };
  const half = await listen();
  const whole = await listen();
  // One worker: when the later stream was commented on three times, the earlier had its turns, too. Half an event is
  // open there: what comes next must be its other half.
  await waitFor('comments on the other stream', () => whole.comments() >= 3);
  assert.equal(half.text, 'data: half');
  held[0].write(' and half\n\n');
  await waitFor('comments', () => half.comments() >= 2);
  held[0].end('data: last\n\n');
  await waitFor('the end', () => half.stream.readableEnded);
  assert.equal(half.text.replace(/^:[^\n]*\n\n?/gm, ''), 'data: half and half\n\ndata: last\n\n');
});

test('100 MiB and a slow reader cost a worker no memory to speak of', async (t) => {
  const SIZE = 100 * MIB;
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let written = 0;
  const { gate, start } = await setUp(t, async (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': SIZE });
    written = 0;
    while (written < SIZE && !response.destroyed) {
      written += chunk.length;
      if (!response.write(chunk)) await Promise.race([new Promise((resolve) => response.once('drain', resolve)), new Promise((resolve) => response.once('close', resolve))]);
    }
    response.end();
  });
  const [worker] = gate.children('worker');
  // What a first exchange costs for good (code paths, pools) is not the stream's.
  const first = await start();
  first.stream.destroy();
  await waitFor('no exchange', async () => (await gate.metric('exchanges')) === 0);
  const before = privateMemory(worker.pid);

  const answer = await start();
  answer.stream.pause();
  let settled = -1;
  await waitFor('back-pressure to reach the app', () => {
    const still = settled === written;
    settled = written;
    return still && written > 0;
  }, { every: 300 });
  assert.ok(written < 40 * MIB, `${written} bytes went towards a reader that reads nothing`);
  const held = privateMemory(worker.pid) - before;

  let peak = held;
  let received = 0;
  let next = MIB;
  for await (const part of answer.stream) {
    received += part.length;
    if (received >= next) {
      peak = Math.max(peak, privateMemory(worker.pid) - before);
      next += MIB;
      // A tick per MiB keeps this reader slower than the sender.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  assert.equal(received, SIZE);
  t.diagnostic(`worker grew by ${Math.round(held / 1024)} KiB while held, ${Math.round(peak / 1024)} KiB at most`);
  // One MiB is the promise; a quarter more for pages of malloc's own.
  if (!SANITIZED) assert.ok(peak <= 1.25 * MIB, `worker grew by ${peak} bytes`);
});

test('idle streams hold no buffer', async (t) => {
  const COUNT = 200;
  const { gate, start } = await setUp(t, (request, response) => {
    request.resume();
    sse(response);
    response.write('data: hello\n\n');
  });
  const [worker] = gate.children('worker');
  const answers = [await start()];
  const before = privateMemory(worker.pid);
  for (let i = 1; i < COUNT; i++) answers.push(await start());
  await waitFor('all streams', async () => (await gate.metric('streams')) === COUNT);
  const each = (privateMemory(worker.pid) - before) / (COUNT - 1);
  t.diagnostic(`${Math.round(each)} bytes a stream`);
  if (!SANITIZED) assert.ok(each < 24 * 1024, `${each} bytes a stream`);
  for (const answer of answers) answer.stream.destroy();
});

test('a client that goes ends the exchange upstream at once', async (t) => {
  let closed = 0;
  const { gate, start } = await setUp(t, (request, response) => {
    request.resume();
    response.on('close', () => closed++);
    if (request.headers['x-silent']) return;
    sse(response);
    response.write('data: hello\n\n');
  });
  const answer = await start();
  answer.stream.once('data', () => answer.request.destroy());
  await waitFor('the app to see it', () => closed === 1, { deadline: 1000 });
  await waitFor('no exchange', async () => (await gate.metric('exchanges')) === 0);
});

test('a client that goes before the answer ends the exchange too', async (t) => {
  let opened = 0;
  let closed = 0;
  const { gate, token } = await setUp(t, (request, response) => {
    request.resume();
    opened++;
    response.on('close', () => closed++);
  });
  const raw = await Raw.open(gate.port);
  await raw.write(bytes('POST /mcp/apps/app HTTP/1.1', { Host: `127.0.0.1:${gate.port}`, Authorization: `Bearer ${token}`, ...MCP_HEADERS, 'Content-Length': PING.length }, PING));
  await waitFor('the app to have it', () => opened === 1);
  raw.destroy();
  await waitFor('the app to see it', () => closed === 1, { deadline: 1000 });
});

test("an app's death ends its clients' streams, and they see it", async (t) => {
  const { upstream, start } = await setUp(t, (request, response) => {
    request.resume();
    sse(response);
    response.write('data: hello\n\n');
  });
  const answers = await Promise.all([start(), start(), start()]);
  for (const answer of answers) await new Promise((resolve) => answer.stream.once('data', resolve));
  upstream.http.closeAllConnections();
  for (const { stream } of answers) {
    await waitFor('the stream to end', () => stream.destroyed || stream.readableEnded, { deadline: 1000 });
    assert.ok(!stream.complete, 'it does not look like a whole answer');
  }
});

test('other clients are served while one does not read', async (t) => {
  let turn = 0;
  const { start } = await setUp(t, async (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    if (turn++ > 0) {
      response.end('quick');
      return;
    }
    const chunk = Buffer.alloc(MIB);
    while (!response.destroyed) {
      if (!response.write(chunk)) await Promise.race([new Promise((resolve) => response.once('drain', resolve)), new Promise((resolve) => response.once('close', resolve))]);
    }
  });
  const slow = await start();
  slow.stream.pause();
  for (let i = 0; i < 20; i++) assert.equal(await (await start()).text(), 'quick');
  slow.request.destroy();
});
