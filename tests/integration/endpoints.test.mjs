// Apps of several endpoints: what happens to requests when some of them are gone, or worse.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { Gateway, authConfig, gatehouse, makeCertificate } from './harness/gateway.mjs';
import { open, post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Load } from './harness/load.mjs';
import { startEverything } from './harness/mcp.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const ISSUER = 'https://one.example.com';
const INTERVAL = 400; // milliseconds between probes

// A server that notes the id of each request that it received in full, and can be killed and come back.
class Server {
  static async start(received, port = 0) {
    const server = new Server();
    server.received = received;
    await server.listen(port);
    return server;
  }

  async listen(port) {
    this.own = 0;
    this.sockets = new Set();
    this.upstream = await Upstream.start(async (request, response) => {
      const text = await body(request);
      const { id } = JSON.parse(text);
      this.own += 1;
      this.received.set(id, (this.received.get(id) ?? 0) + 1);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { port: this.port } }));
    }, port);
    this.port = this.upstream.port;
    this.uri = this.upstream.uri;
    this.upstream.http.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  // As kill -9 does: the port closes, and every connection with it.
  async kill() {
    const { http } = this.upstream;
    const closed = new Promise((resolve) => http.close(resolve));
    const connections = this.sockets.size;
    for (const socket of this.sockets) socket.destroy();
    await closed;
    return connections;
  }

  revive() {
    return this.listen(this.port);
  }
}

// A server of raw connections: what it does with each is the test's.
async function rawServer(t, handle) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    handle(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.uri = `mcp+http://127.0.0.1:${server.address().port}/mcp`;
  return server;
}

async function setUp(t, apps, options = {}) {
  const issuer = await Issuer.make(ISSUER);
  const gate = await Gateway.start(t, { apps, resources: { 'issuer.yaml': [authConfig('issuer', issuer)] }, ...options });
  const token = await issuer.token(gate.url('app'));
  let ids = 0;
  const ask = (more = {}) => {
    ids += 1;
    return post(gate.url('app'), token, { body: JSON.stringify({ jsonrpc: '2.0', id: ids, method: 'ping', params: more.params }), ...more });
  };
  return { gate, issuer, token, ask, url: gate.url('app') };
}

async function servers(t, count) {
  const received = new Map();
  const list = await Promise.all(Array.from({ length: count }, () => Server.start(received)));
  t.after(() => Promise.all(list.map((server) => server.kill())));
  return { list, received };
}

const several = (list, more = {}) => [{ name: 'app', endpoints: list.map(({ uri }) => uri), ...more }];
const probed = { health_check: { interval: `${INTERVAL}ms` } };
const ok = async (answer) => assert.equal((await answer).status, 200, (await answer).text);

for (const order of [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) {
  test(`killing two of three under load, then the third: ${order}`, { concurrency: false }, async (t) => {
    const { list, received } = await servers(t, 3);
    const { url, token, gate } = await setUp(t, several(list, probed));
    const lost = [];
    let id = 0;
    const load = new Load(64, async (agent) => {
      id += 1;
      const own = id;
      const answer = await post(url, token, { agent, body: JSON.stringify({ jsonrpc: '2.0', id: own, method: 'ping' }) });
      if (answer.status !== 200) lost.push({ id: own, status: answer.status, text: answer.text, headers: answer.headers });
      return answer.status;
    });
    const progress = async (server) => {
      const before = server.own;
      await waitFor('the server to be used', () => server.own > before + 50);
    };
    await Promise.all(list.map(progress));
    let connections = 0;
    for (const index of order.slice(0, 2)) {
      connections += await list[index].kill();
      await progress(list[order[2]]);
    }
    // What was lost had been sent in full: the server may have run it, and so nobody else was sent it.
    assert.ok(lost.length <= connections, `${lost.length} of ${connections}: ${JSON.stringify(lost[0])}`);
    for (const { status, text, id: which } of lost) {
      assert.equal(status, 502, text);
      assert.match(text, /ended the connection/);
      assert.equal(JSON.parse(text).id, which);
    }
    const known = lost.length;
    await list[order[2]].kill();
    await waitFor('503', () => lost.slice(known).some(({ status }) => status === 503));
    const { headers, text, id: which } = lost.findLast(({ status }) => status === 503);
    assert.ok(Number(headers['retry-after']) > 0);
    assert.equal(headers['gatehouse-error-origin'], 'gateway');
    assert.equal(JSON.parse(text).id, which);
    const began = performance.now();
    await list[order[0]].revive();
    await progress(list[order[0]]);
    assert.ok(performance.now() - began < 2 * INTERVAL + 500, 'two intervals');
    await load.stop();
    assert.ok([...received.values()].every((count) => count === 1), 'a request was sent twice');
    assert.deepEqual(load.failures.filter(({ code }) => code), []);
    assert.doesNotMatch(gate.log, /watcher_failed/);
  });
}

test('a request that cannot have been sent in full goes on to the next endpoint', async (t) => {
  const { list } = await servers(t, 1);
  let resets = 0;
  const broken = await rawServer(t, (socket) => {
    socket.pause();
    resets += 1;
    setTimeout(() => socket.resetAndDestroy(), 20);
  });
  const { ask } = await setUp(t, several([broken, ...list], { health_check: { type: 'off' } }), { limits: { body_size: '32MiB' } });
  await waitFor('both kinds', async () => {
    await ok(ask({ params: { padding: 'x'.repeat(16 * 1024 * 1024) } }));
    return resets > 0;
  });
});

test('an endpoint that answers garbage, hangs or ends without an answer is left alone for a while', async (t) => {
  const bad = {
    garbage: [(socket) => socket.on('data', () => socket.end('SSH-2.0-OpenSSH_9.6\r\n\r\n')), 502],
    silence: [(socket) => socket.resume(), 504],
    end: [(socket) => socket.on('data', () => socket.destroy()), 502],
  };
  for (const [name, [handle, status]] of Object.entries(bad)) {
    await t.test(name, async (t) => {
      const { list } = await servers(t, 1);
      const { ask } = await setUp(t, several([await rawServer(t, handle), ...list], { health_check: { type: 'off' } }),
        { workers: 1, limits: { response_timeout: '300ms' } });
      await waitFor('the bad one', async () => {
        const answer = await ask();
        if (answer.status === 200) return false;
        assert.equal(answer.status, status);
        assert.equal(answer.headers['gatehouse-error-origin'], 'gateway');
        return true;
      });
      for (let i = 0; i < 30; i++) await ok(ask());
    });
  }
});

test('hang, reset, garbage and slow endpoints under load: every request is answered in time', { timeout: 60_000 }, async (t) => {
  const { list } = await servers(t, 1);
  const slow = await Upstream.start((request, response) => setTimeout(() => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
  }, 200));
  t.after(() => slow.stop());
  const met = { hang: 0, reset: 0, garbage: 0 };
  const bad = [
    await rawServer(t, (socket) => { met.hang += 1; socket.resume(); }),
    await rawServer(t, (socket) => { met.reset += 1; socket.resetAndDestroy(); }),
    await rawServer(t, (socket) => socket.on('data', () => { met.garbage += 1; socket.end('SSH-2.0-OpenSSH_9.6\r\n\r\n'); })),
  ];
  const { url, token } = await setUp(t, several([...bad, slow, list[0]], { health_check: { type: 'off' } }), { limits: { response_timeout: '1s' } });
  const seen = {};
  const load = new Load(64, async (agent) => {
    const { status } = await post(url, token, { agent });
    seen[status] = (seen[status] ?? 0) + 1;
    return status;
  });
  await waitFor('each kind of endpoint, and many answers', () => Object.values(met).every((count) => count > 0)
    && seen[504] > 0 && load.done.length > 2000 && list[0].own > 0);
  const { own } = list[0];
  await load.stop();
  assert.deepEqual(load.failures.filter(({ code }) => code), []);
  assert.deepEqual(Object.keys(seen).filter((status) => !['200', '502', '504'].includes(status)), []);
  // What hangs costs a request its timeout, and little more.
  for (const { started, ended } of [...load.done, ...load.failures]) assert.ok(ended - started < 5000, `${ended - started} ms`);
  assert.ok(load.failures.length < load.done.length / 5, `${load.failures.length} failed, ${load.done.length} did not`);
  assert.ok(own > 100);
});

test('a GET goes on to the next endpoint, also when it was sent in full', async (t) => {
  let ended = 0;
  const broken = await rawServer(t, (socket) => socket.on('data', () => {
    ended += 1;
    socket.destroy();
  }));
  const stream = await Upstream.start(async (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('id: 1\ndata:\n\n');
  });
  t.after(() => stream.stop());
  const { url, token } = await setUp(t, several([broken, stream], { health_check: { type: 'off' } }), { workers: 1 });
  await waitFor('both', async () => {
    const answer = await open(url, { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 200);
    await answer.text();
    return ended > 0;
  });
});

test('each endpoint is sent its own path and host', async (t) => {
  const seen = [];
  const two = await Promise.all(['a', 'b'].map((name) => Upstream.start(async (request, response) => {
    await body(request);
    seen.push([name, request.url, request.headers.host]);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
  })));
  const [a, b] = two;
  t.after(() => b.stop());
  const { ask } = await setUp(t, [{ name: 'app', endpoints: [`mcp+http://127.0.0.1:${a.port}/a`, `mcp+http://localhost:${b.port}/b`] }], { workers: 1 });
  await waitFor('both', async () => {
    await ok(ask());
    return new Set(seen.map(([name]) => name)).size === 2;
  });
  await a.stop();
  seen.length = 0;
  for (let i = 0; i < 8; i++) await ok(ask());
  assert.deepEqual(seen, Array.from({ length: 8 }, () => ['b', '/b', `localhost:${b.port}`]));
});

test('probes find endpoints dead and alive, and requests turn away without a failure of their own', async (t) => {
  const { list } = await servers(t, 3);
  const { gate, ask } = await setUp(t, several(list, { health_check: { interval: '100ms', fall: 2 } }));
  await waitFor('three probed', async () => await gate.metric('endpoints_probed') === 3 && await gate.metric('health_probes_total') > 6);
  assert.equal(await gate.metric('endpoints_dead'), 0);
  await list[0].kill();
  await list[1].kill();
  await waitFor('two dead', async () => await gate.metric('endpoints_dead') === 2);
  assert.equal(gate.log.match(/endpoint_dead.*app app, 127\.0\.0\.1 port \d+: Connection refused/g).length, 2);
  for (let i = 0; i < 20; i++) await ok(ask());
  assert.equal(await gate.metric('upstream_failed_total'), 0);
  const shown = JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout);
  assert.deepEqual(shown.apps[0].endpoints.map(({ health, state }) => [health, state]), [['dead', 'active'], ['dead', 'active'], ['alive', 'active']]);
  // Another watcher knows what the first one found out.
  process.kill(gate.children('watcher')[0].pid, 'SIGKILL');
  await waitFor('another watcher', async () => await gate.metric('endpoints_dead') === 2 && gate.log.match(/endpoint_dead/g).length === 2);
  await list[0].revive();
  await waitFor('one is back', async () => await gate.metric('endpoints_dead') === 1);
  assert.match(gate.log, new RegExp(`endpoint_alive.*app app, 127\\.0\\.0\\.1 port ${list[0].port}`));
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
  assert.match(gate.log, /endpoint_dead.*: status 500/);
  for (let i = 0; i < 10; i++) assert.equal((await ask()).headers['x-server'], '1');
  states[0] = 302;
  await waitFor('none dead', async () => await gate.metric('endpoints_dead') === 0);
  assert.deepEqual(new Set(seen), new Set(['/alive?x', 'secret']));
  // When the probes alone call every one dead, requests are not refused: they are what counts.
  states.fill(404);
  await waitFor('both dead', async () => await gate.metric('endpoints_dead') === 2);
  await ok(ask());
});

// Connections that are open from this machine to a port of 127.0.0.1, as their openers have them.
function connectionsTo(port) {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8').split('\n').filter((line) => {
    const [, , address, state] = line.trim().split(/\s+/);
    return address === remote && ['01', '02'].includes(state);
  }).length;
}

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
  t.after(() => upstream.stop());
  return { uri: upstream.uri, port: upstream.port, counts };
}

test('1000 MCP probes leave no session, and never have more than one connection', async (t) => {
  const everything = await startEverything(t);
  const { uri, port, counts } = await counting(t, everything.uri.replace('mcp+', ''));
  const { gate } = await setUp(t, [{ name: 'app', uri, health_check: { type: 'mcp', interval: '10ms', timeout: '10s' } }], { workers: 1 });
  let most = 0;
  await waitFor('1000 probes', async () => {
    most = Math.max(most, connectionsTo(port));
    return await gate.metric('health_probes_total') > 1000;
  }, { deadline: 60_000 });
  assert.equal(await gate.metric('endpoints_dead'), 0);
  assert.equal(await gate.metric('health_transitions_total'), 0);
  gate.settings.app_service.apps = [{ name: 'app', uri }];
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('no more probes', async () => await gate.metric('endpoints_probed') === 0);
  assert.ok(counts.began.size > 990, `${counts.began.size} sessions`);
  // The one that was under way when the probes ended may be left.
  assert.ok(counts.began.size - counts.ended.size <= 1, `${counts.began.size} began, ${counts.ended.size} ended`);
  assert.equal(most, 1);
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

// A server that begins a session with each initialize, and says its name in every answer.
async function sessionServer(t, name) {
  const server = new Set();
  const upstream = await Upstream.start(async (request, response, seen) => {
    seen.body = await body(request);
    const session = request.headers['mcp-session-id'];
    const { id, method } = JSON.parse(seen.body);
    const headers = { 'content-type': 'application/json', 'x-server': name };
    if (method === 'initialize') {
      headers['mcp-session-id'] = `${name}-${server.size}`;
      server.add(headers['mcp-session-id']);
    } else if (session && !server.has(session)) {
      return response.writeHead(404).end();
    }
    if (id === undefined) return response.writeHead(202).end();
    response.writeHead(200, headers);
    const result = method === 'initialize'
      ? { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'server', version: '1' } } : {};
    return response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  t.after(() => upstream.stop().catch(() => {}));
  upstream.name = name;
  return upstream;
}

const initialize = JSON.stringify({
  jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});

// Sessions until each server has one: a map of the server's name to a session.
async function sessionsOnEach(ask, list) {
  const sessions = new Map();
  await waitFor('a session on each', async () => {
    const answer = await ask({ body: initialize });
    assert.equal(answer.status, 200, answer.text);
    sessions.set(answer.headers['x-server'], answer.headers['mcp-session-id']);
    return sessions.size === list.length;
  });
  return sessions;
}

test('an MCP session stays with its server; when that is lost it is 404, and begins anew elsewhere', async (t) => {
  const list = await Promise.all(['a', 'b', 'c'].map((name) => sessionServer(t, name)));
  const { ask } = await setUp(t, several(list, probed));
  const sessions = await sessionsOnEach(ask, list);
  const call = (session) => ask({ headers: { 'mcp-session-id': session } });
  for (let i = 0; i < 5; i++)
    for (const [name, session] of sessions) assert.equal((await call(session)).headers['x-server'], name);
  await list[0].stop();
  const lost = await call(sessions.get('a'));
  assert.equal(lost.status, 404);
  assert.deepEqual(lost.json.error.code, -32001);
  for (const name of ['b', 'c']) assert.equal((await call(sessions.get(name))).headers['x-server'], name);
  for (let i = 0; i < 10; i++) assert.notEqual((await ask({ body: initialize })).headers['x-server'], 'a');
  // The session is over, and stays so.
  assert.equal((await call(sessions.get('a'))).status, 404);
});

test('a server that drains keeps its sessions, and gets no new ones', async (t) => {
  const list = await Promise.all(['a', 'b'].map((name) => sessionServer(t, name)));
  const { gate, ask } = await setUp(t, several(list));
  const sessions = await sessionsOnEach(ask, list);
  gate.settings.app_service.apps[0].endpoints[0] = { uri: list[0].uri, state: 'drain' };
  gate.writeSettings();
  gate.signal('SIGHUP');
  const drained = async () => JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout).apps[0].endpoints[0].state === 'drain';
  await waitFor('the drain', drained);
  await waitFor('the workers', async () => {
    const names = await Promise.all(Array.from({ length: 8 }, async () => (await ask()).headers['x-server']));
    return names.every((name) => name === 'b');
  });
  for (let i = 0; i < 10; i++) assert.equal((await ask({ body: initialize })).headers['x-server'], 'b');
  for (const [name, session] of sessions) assert.equal((await ask({ headers: { 'mcp-session-id': session } })).headers['x-server'], name);
});

test('a server with a wrong certificate is passed by', async (t) => {
  const { list } = await servers(t, 1);
  const issuer = await Issuer.make(ISSUER);
  const gate = await Gateway.prepare(t, { resources: { 'issuer.yaml': [authConfig('issuer', issuer)] }, workers: 1 });
  const right = await makeCertificate(`${gate.directory}/tls`, 'right.example.com');
  const wrong = await makeCertificate(`${gate.directory}/tls`, 'wrong.example.com');
  let shaken = 0;
  const server = createTlsServer({ cert: readFileSync(wrong.certificate), key: readFileSync(wrong.key) }, () => {});
  server.on('connection', () => (shaken += 1));
  server.on('tlsClientError', () => {});
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  gate.settings.app_service.apps = [{
    name: 'app',
    ca: right.certificate,
    endpoints: [`mcp+https://127.0.0.1:${server.address().port}/mcp`, list[0].uri],
    health_check: { type: 'off' },
  }];
  gate.writeSettings();
  await gate.run();
  const token = await issuer.token(gate.url('app'));
  await waitFor('it to be tried', async () => {
    await ok(post(gate.url('app'), token));
    return shaken > 0;
  });
  const before = shaken;
  for (let i = 0; i < 20; i++) await ok(post(gate.url('app'), token));
  assert.ok(shaken - before <= 1, 'it is left alone for a while');
});

test('gatehouse drain holds over restarts and changes of the app, until it is undone', async (t) => {
  const list = await Promise.all(['a', 'b'].map((name) => sessionServer(t, name)));
  const { gate, ask } = await setUp(t, several(list), { workers: 1 });
  const sessions = await sessionsOnEach(ask, list);
  const drain = (...args) => gatehouse('drain', ...args, '-c', gate.settingsPath);
  const states = async () => JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout).apps[0].endpoints.map(({ state }) => state);
  const onlyB = async () => {
    for (let i = 0; i < 10; i++) assert.equal((await ask({ body: initialize })).headers['x-server'], 'b');
    assert.equal((await ask({ headers: { 'mcp-session-id': sessions.get('a') } })).headers['x-server'], 'a');
  };
  for (const [args, status, words] of [
    [['app', '127.0.0.1:1'], 65, /the app has no such endpoint/],
    [['none', '127.0.0.1:1'], 65, /there is no such app/],
    [['app'], 64, /name an app and one of its endpoints/],
  ]) {
    const refused = await drain(...args);
    assert.equal(refused.status, status, refused.output);
    assert.match(refused.output, words);
  }
  const done = await drain('app', `127.0.0.1:${list[0].port}`);
  assert.equal(done.status, 0, done.output);
  assert.deepEqual(await states(), ['drain', 'active']);
  await waitFor('the worker', async () => (await Promise.all(Array.from({ length: 8 }, ask))).every(({ headers }) => headers['x-server'] === 'b'));
  await onlyB();
  gate.settings.app_service.apps[0].description = 'changed';
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('the change', async () => (await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout.includes('changed'));
  await onlyB();
  await gate.stop();
  await gate.run();
  assert.deepEqual(await states(), ['drain', 'active']);
  await onlyB();
  assert.equal((await drain('app', list[0].uri, '--undo')).status, 0);
  assert.deepEqual(await states(), ['active', 'active']);
  await waitFor('the first one', async () => (await ask({ body: initialize })).headers['x-server'] === 'a');
});

test('several documents are one app, as long as they agree', async (t) => {
  const { list } = await servers(t, 3);
  const { gate, ask } = await setUp(t, [], { workers: 1 });
  const app = ({ uri }, labels = { env: 'test' }) => ({ version: 'v1', kind: 'app', metadata: { name: 'app', labels }, spec: { uri } });
  const shown = async () => JSON.parse((await gatehouse('apps', '-c', gate.settingsPath, '--json')).stdout).apps[0]?.endpoints.map(({ port }) => port) ?? [];
  const ports = (...indices) => indices.map((index) => list[index].port);
  const becomes = async (...indices) => waitFor(`endpoints ${indices}`, async () => JSON.stringify(await shown()) === JSON.stringify(ports(...indices)));
  gate.writeResource('1.yaml', app(list[0]));
  await becomes(0);
  gate.writeResource('2.yaml', app(list[1]));
  await becomes(0, 1);
  gate.writeResource('3.yaml', app(list[2]));
  await becomes(0, 1, 2);
  assert.doesNotMatch(gate.log, /document_refused/);
  await waitFor('all of them to be used', async () => {
    await ok(ask());
    return list.every(({ own }) => own > 0);
  });
  gate.writeResource('2.yaml', app(list[1], { env: 'other' }));
  await waitFor('the refusal', () => /document_refused.*1\.yaml:\d+:\d+ and at \S*2\.yaml:\d+:\d+: documents of one app must agree/.test(gate.log));
  assert.deepEqual(await shown(), ports(0, 1, 2));
  assert.match((await gate.check()).output, /2\.yaml:\d+:\d+: name: "app" is taken already at \S*1\.yaml/);
  gate.removeResource('2.yaml');
  await becomes(0, 2);
  gate.removeResource('1.yaml');
  await becomes(2);
});
