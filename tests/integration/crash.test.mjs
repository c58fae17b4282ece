// Processes that die, hang, or are told to go: what goes on, and what ends.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { MCP_HEADERS, PING, Raw, open, post } from './harness/http.mjs';
import { Load } from './harness/load.mjs';
import { oneApp } from './harness/one_app.mjs';
import { alive } from './harness/process.mjs';
import { patience, waitFor } from './harness/wait.mjs';

async function setUp(t, options) {
  const parts = await oneApp(t, { workers: 3, ...options });
  const tokens = await Promise.all(Array.from({ length: 8 }, (_, i) => parts.issuer.token(parts.url, { sub: `user-${i}` })));
  return { ...parts, tokens };
}

// One of a role, until its successor (another pid) is there.
async function replaced(gate, victim) {
  return waitFor(`another ${victim.role}`, () =>
    gate.children(victim.role).find((child) => child.pid !== victim.pid && child.started >= victim.started && child.slot === victim.slot),
  { every: 5 });
}

// Whether no connection can be made any more.
async function refuses(gate) {
  const error = await Raw.open(gate.port).then((raw) => raw.destroy(), (failure) => failure);
  return error?.code === 'ECONNREFUSED';
}

for (const role of ['worker', 'watcher', 'janitor', 'bridge']) {
  test(`kill -9 of a ${role} under load`, async (t) => {
    const { gate, url, tokens, issuer } = await setUp(t);
    for (const token of tokens) assert.equal((await post(url, token)).status, 200);
    const load = Load.posting(t, 12, url, tokens);
    await waitFor('load', () => load.done.length > 200);

    const others = gate.children().map(({ pid }) => pid);
    const [victim] = gate.children(role);
    const killed = performance.now();
    process.kill(victim.pid, 'SIGKILL');
    const successor = await replaced(gate, victim);
    await waitFor('all to be ready', () => gate.children(role).length === (role === 'worker' ? 3 : 1), { every: 5 });
    const back = performance.now() - killed;
    t.diagnostic(`back after ${back.toFixed(0)} ms`);
    assert.ok(back < 1000 * patience, `back after ${back} ms`);

    const served = load.done.length;
    await waitFor('more answers', () => load.done.length > served + 500);
    await load.stop();

    assert.ok(successor.pid !== victim.pid);
    for (const pid of others) if (pid !== victim.pid) assert.ok(alive(pid), 'the others live on');
    if (role === 'worker') {
      // Only the killed worker's connections end, each with at most one request.
      for (const { connected, code, status } of load.failures) {
        assert.equal(status, undefined, `an answer of ${status}`);
        assert.match(code, /ECONNRESET|socket hang up|EPIPE/);
        assert.ok(connected < killed, `a connection made ${connected - killed} ms after the kill failed`);
      }
      assert.ok(load.failures.length <= 12);
    } else {
      assert.deepEqual(load.failures, []);
    }
    const slowest = Math.max(...load.done.filter(({ started }) => started > killed).map(({ started, ended }) => ended - started));
    assert.ok(slowest < 1500 * patience, `the slowest answer took ${slowest} ms`);

    const before = await gate.metrics();
    for (const token of tokens) assert.equal((await post(url, token)).status, 200);
    const after = await gate.metrics();
    assert.equal(after.signature_checks_total, before.signature_checks_total, 'no session is lost');
    assert.equal(after.respawns_total, 1);
    // The successor does its predecessor's work.
    assert.equal((await post(url, await issuer.token(url, { sub: 'new' }))).status, 200);
    if (role === 'watcher') {
      gate.writeResource('app.yaml', { version: 'v1', kind: 'app', metadata: { name: 'fresh' }, spec: { uri: 'mcp+http://127.0.0.1:9/mcp' } });
      await waitFor('the new app', async () => 'fresh' in Object.fromEntries(await gate.dump('config', 'apps')));
    }
  });
}

test('every worker may be killed, one after the other', async (t) => {
  const { gate, url, tokens } = await setUp(t);
  const load = Load.posting(t, 6, url, tokens);
  await waitFor('load', () => load.done.length > 100);
  for (const victim of gate.children('worker')) {
    process.kill(victim.pid, 'SIGKILL');
    await replaced(gate, victim);
    const served = load.done.length;
    await waitFor('more answers', () => load.done.length > served + 200);
  }
  await load.stop();
  assert.ok(load.failures.length <= 3 * 6);
  assert.equal(gate.children('worker').length, 3);
});

test('all workers killed at once', async (t) => {
  const { gate, url, tokens } = await setUp(t);
  assert.equal((await post(url, tokens[0])).status, 200);
  for (const { pid } of gate.children('worker')) process.kill(pid, 'SIGKILL');
  // Connections wait in the accept queues that master keeps.
  assert.equal((await post(url, tokens[0])).status, 200);
  await waitFor('three workers', () => gate.children('worker').length === 3);
});

test('kill -9 of master: its children are gone within two seconds', async (t) => {
  const { gate, url, tokens } = await setUp(t, { handler: (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: x\n\n');
  } });
  const answer = await open(url, { method: 'POST', body: PING, headers: { ...MCP_HEADERS, authorization: `Bearer ${tokens[0]}` } });
  answer.stream.resume();
  const children = gate.children();
  assert.ok(children.length >= 5);
  const killed = performance.now();
  gate.program.kill('SIGKILL');
  await waitFor('no child to live', () => children.every(({ pid }) => !alive(pid)), { deadline: 5000, every: 10 });
  const took = performance.now() - killed;
  t.diagnostic(`gone after ${took.toFixed(0)} ms`);
  assert.ok(took < 2000 * patience, `gone after ${took} ms`);
});

test('SIGTERM drains: what runs ends by itself, nothing new begins', async (t) => {
  let held;
  const { gate, url, tokens } = await setUp(t, { handler: (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
    held = response;
  } });
  const answer = await open(url, { method: 'POST', body: PING, headers: { ...MCP_HEADERS, authorization: `Bearer ${tokens[0]}` } });
  const text = answer.text();
  await waitFor('the stream', () => held);
  gate.signal('SIGTERM');
  await waitFor('no new connection', () => refuses(gate));
  assert.ok(!gate.program.ended, 'it waits for the stream');
  held.write('data: second\n\n');
  held.end('data: last\n\n');
  assert.equal(await text, 'data: first\n\ndata: second\n\ndata: last\n\n');
  assert.deepEqual(await gate.program.exited, { status: 0, signal: null });
});

test('SIGTERM ends streams at drain_timeout', async (t) => {
  const { gate, url, tokens } = await setUp(t, { limits: { drain_timeout: '1s' }, handler: (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
  } });
  const answer = await open(url, { method: 'POST', body: PING, headers: { ...MCP_HEADERS, authorization: `Bearer ${tokens[0]}` } });
  answer.stream.resume();
  const told = performance.now();
  gate.signal('SIGTERM');
  await gate.program.exited;
  const took = performance.now() - told;
  assert.ok(took >= 900 && took < 5000 * patience, `took ${took} ms`);
});

test('a second SIGTERM forces', async (t) => {
  let held;
  const { gate, url, tokens } = await setUp(t, { handler: (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
    held = response;
  } });
  const answer = await open(url, { method: 'POST', body: PING, headers: { ...MCP_HEADERS, authorization: `Bearer ${tokens[0]}` } });
  answer.stream.resume();
  await waitFor('the stream', () => held);
  const children = gate.children();
  gate.signal('SIGTERM');
  await waitFor('the drain to begin', () => refuses(gate));
  const told = performance.now();
  gate.signal('SIGTERM');
  await gate.program.exited;
  assert.ok(performance.now() - told < 2000 * patience);
  assert.ok(children.every(({ pid }) => !alive(pid)));
  assert.doesNotMatch(gate.log, /the next starts/); // nothing follows what was killed on purpose
});

for (const role of ['worker', 'watcher', 'janitor', 'bridge']) {
  test(`a ${role} that hangs is killed by the watchdog`, async (t) => {
    const { gate, url, tokens } = await setUp(t, { limits: { watchdog: '2s' } });
    assert.equal((await post(url, tokens[0])).status, 200);
    const [victim] = gate.children(role);
    process.kill(victim.pid, 'SIGSTOP');
    await replaced(gate, victim);
    assert.ok(!alive(victim.pid));
    assert.equal((await post(url, tokens[0])).status, 200);
    assert.equal(await gate.metric('processes_killed_total'), 1);
  });
}

test('children keep no descriptor that is not theirs', async (t) => {
  const { gate } = await setUp(t);
  // Master's own: one channel a child, listeners, boards. A leak of channels would grow with slots.
  const counts = gate.children('worker').map(({ pid }) => readdirSync(`/proc/${pid}/fd`).length);
  for (const count of counts) assert.ok(count < 40, `${count} descriptors`);
});
