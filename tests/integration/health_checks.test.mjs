// Health checks: what the watcher's probes find out, and what they cost the servers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { servers, setUp, several } from './harness/endpoints.mjs';
import { gatehouse } from './harness/gateway.mjs';
import { open } from './harness/http.mjs';
import { startEverything } from './harness/mcp.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const ok = async (answer) => assert.equal((await answer).status, 200, (await answer).text);

test('probes find endpoints dead and alive, and requests turn away without a failure of their own', async (t) => {
  const { list } = await servers(t, 3);
  const { gate, ask } = await setUp(t, several(list, { health_check: { interval: '100ms', fall: 2 } }));
  await waitFor('three probed', async () => await gate.metric('endpoints_probed') === 3 && await gate.metric('health_probes_total') > 6);
  assert.equal(await gate.metric('endpoints_dead'), 0);
  await list[0].kill();
  await list[1].kill();
  await waitFor('two dead', async () => await gate.metric('endpoints_dead') === 2);
  await gate.logged(/endpoint_dead.*app app, 127\.0\.0\.1 port \d+: Connection refused/, 2);
  for (let i = 0; i < 20; i++) await ok(ask());
  assert.equal(await gate.metric('upstream_failed_total'), 0);
  const shown = JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout);
  assert.deepEqual(shown.apps[0].endpoints.map(({ health, state }) => [health, state]), [['dead', 'active'], ['dead', 'active'], ['alive', 'active']]);
  // Another watcher knows what the first one found out.
  process.kill(gate.children('watcher')[0].pid, 'SIGKILL');
  await waitFor('another watcher', async () => await gate.metric('endpoints_dead') === 2 && gate.log.match(/endpoint_dead/g).length === 2);
  await list[0].revive();
  await waitFor('one is back', async () => await gate.metric('endpoints_dead') === 1);
  await gate.logged(new RegExp(`endpoint_alive.*app app, 127\\.0\\.0\\.1 port ${list[0].port}`));
  await waitFor('it is used', async () => {
    await ok(ask());
    return list[0].own > 0;
  });
  assert.equal(await gate.metric('upstream_failed_total'), 0);
});

test('HTTP probes tell a server that answers from one that fails', async (t) => {
  const states = [200, 200];
  const seen = [];
  const two = await Promise.all(states.map((_, i) => Upstream.start(async (request, response) => {
    await body(request);
    if (request.method === 'GET') {
      seen.push(request.url, request.headers['x-key']);
      return response.writeHead(states[i]).end();
    }
    response.writeHead(200, { 'content-type': 'application/json', 'x-server': `${i}` });
    return response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
  })));
  t.after(() => Promise.all(two.map((upstream) => upstream.stop())));
  const { gate, ask } = await setUp(t, several(two, {
    health_check: { type: 'http', path: '/alive?x', interval: '100ms' },
    rewrite: { headers: ['X-Key: secret'] },
  }));
  states[0] = 500;
  await waitFor('one dead', async () => await gate.metric('endpoints_dead') === 1);
  await gate.logged(/endpoint_dead.*: status 500/);
  for (let i = 0; i < 10; i++) assert.equal((await ask()).headers['x-server'], '1');
  states[0] = 302;
  await waitFor('none dead', async () => await gate.metric('endpoints_dead') === 0);
  assert.deepEqual(new Set(seen), new Set(['/alive?x', 'secret']));
  // When the probes alone call every one dead, requests are not refused: they are what counts.
  states.fill(404);
  await waitFor('both dead', async () => await gate.metric('endpoints_dead') === 2);
  await ok(ask());
});

// The most connections to the server at once. What its maker closed before it made the next one has told so by the end
// of the loop's next turn, whichever of the two was seen first.
function countConnections(server, counts) {
  const open = new Set();
  counts.most = 0;
  server.http.on('connection', (socket) => {
    const older = [...open];
    open.add(socket);
    for (const end of ['end', 'close']) socket.on(end, () => open.delete(socket));
    setImmediate(() => setImmediate(() => (counts.most = Math.max(counts.most, 1 + older.filter((one) => open.has(one)).length))));
  });
}

const probes = (gate, count) => waitFor(`${count} probes`, async () => await gate.metric('health_probes_total') > count, { deadline: 30_000 });

// Relays to a server, and counts MCP sessions on the way.
async function counting(t, target) {
  const counts = { began: new Set(), ended: new Set() };
  const upstream = await Upstream.start(async (request, response) => {
    const text = await body(request);
    const headers = { ...request.headers };
    delete headers['content-length'];
    const answer = await open(target, { method: request.method, headers, body: text.length > 0 ? text : undefined });
    const session = answer.headers['mcp-session-id'];
    if (request.method === 'POST' && session) counts.began.add(session);
    if (request.method === 'DELETE' && answer.status === 200) counts.ended.add(request.headers['mcp-session-id']);
    response.writeHead(answer.status, answer.headers);
    response.end(await answer.text());
  });
  countConnections(upstream, counts);
  t.after(() => upstream.stop());
  return { uri: upstream.uri, counts };
}

const every10ms = { type: 'mcp', interval: '10ms', timeout: '10s' };

// Takes the app's health checks away, and waits for the end of the last of them.
async function stopProbing(gate) {
  const [app] = gate.settings.app_service.apps;
  app.health_check = { type: 'off' };
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('no more probes', async () => await gate.metric('endpoints_probed') === 0);
}

// Of servers that probes asked: no session is left, and none had more than one connection.
function assertNothingLeft(all) {
  for (const { began, ended, most } of all) {
    // The one that was under way when the probes ended may be left.
    assert.ok(began.size - ended.size <= 1, `${began.size} began, ${ended.size} ended`);
    assert.equal(most, 1);
  }
}

test('1000 MCP probes of ten servers leave no session, and never have more than one connection to one', async (t) => {
  const all = await Promise.all(Array.from({ length: 10 }, async () => {
    const counts = { began: new Set(), ended: new Set() };
    const server = await Upstream.start(async (request, response) => {
      const session = request.headers['mcp-session-id'];
      const message = await body(request);
      if (request.method === 'DELETE') {
        counts.ended.add(session);
        return response.writeHead(200).end();
      }
      const { id, method } = JSON.parse(message);
      if (method === 'notifications/initialized') return response.writeHead(202).end();
      if (method !== 'initialize') return response.writeHead(400).end();
      counts.began.add(`${counts.began.size}`);
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': `${counts.began.size - 1}` });
      return response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } } }));
    });
    countConnections(server, counts);
    t.after(() => server.stop());
    return { uri: server.uri, counts };
  }));
  const { gate } = await setUp(t, several(all, { health_check: every10ms }), { workers: 1 });
  await probes(gate, 1000);
  assert.equal(await gate.metric('endpoints_dead'), 0);
  assert.equal(await gate.metric('health_transitions_total'), 0);
  await stopProbing(gate);
  const counts = all.map((server) => server.counts);
  assert.ok(counts.reduce((sum, { began }) => sum + began.size, 0) > 990);
  assertNothingLeft(counts);
});

test('MCP probes of a real server leave no session', async (t) => {
  const everything = await startEverything(t);
  const relay = await counting(t, everything.uri.replace('mcp+', ''));
  const { gate } = await setUp(t, several([relay], { health_check: every10ms }), { workers: 1 });
  await probes(gate, 50);
  assert.equal(await gate.metric('endpoints_dead'), 0);
  await stopProbing(gate);
  assert.ok(relay.counts.began.size > 45, `${relay.counts.began.size} sessions`);
  assertNothingLeft([relay.counts]);
});

test('MCP probes ask a modern server for no session', async (t) => {
  const methods = new Set();
  const modern = await Upstream.start(async (request, response) => {
    methods.add(`${request.method} ${JSON.parse(await body(request)).method}`);
    assert.equal(request.headers['mcp-method'], 'server/discover');
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}');
  });
  t.after(() => modern.stop());
  const { gate } = await setUp(t, several([modern], { health_check: { type: 'mcp', interval: '50ms' } }), { workers: 1 });
  await waitFor('probes', async () => await gate.metric('health_probes_total') > 3);
  assert.equal(await gate.metric('endpoints_dead'), 0);
  assert.deepEqual([...methods], ['POST server/discover']);
});
