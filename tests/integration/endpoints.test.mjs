// Apps of several endpoints: what happens to requests when some of them are gone, or worse.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { rawServer, servers, setUp, several } from './harness/endpoints.mjs';
import { Gateway, authConfig, makeCertificate } from './harness/gateway.mjs';
import { open, post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Load } from './harness/load.mjs';
import { freePort } from './harness/ports.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { patience, waitFor } from './harness/wait.mjs';

const INTERVAL = 400; // milliseconds between probes
const MARK = 1000; // milliseconds for which an endpoint that failed is left alone

const ok = async (answer) => assert.equal((await answer).status, 200, (await answer).text);

// Pings without pause, with ids that count up. `lost`: the answers other than 200, and what they answer.
function pinging(t, url, token) {
  const lost = [];
  let last = 0;
  const load = new Load(t, 64, async (agent) => {
    last += 1;
    const id = last;
    const { status, text, headers } = await post(url, token, { agent, body: JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' }) });
    if (status !== 200) lost.push({ id, status, text, headers });
    return status;
  });
  return { load, lost, last: () => last };
}

const used = (server) => {
  const before = server.own;
  return waitFor('the server to be used', () => server.own > before + 50);
};

for (const order of [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) {
  test(`killing two of three under load, then the third: ${order}`, async (t) => {
    const { list, received } = await servers(t, 3);
    const { url, token, gate } = await setUp(t, several(list, { health_check: { interval: `${INTERVAL}ms` } }));
    const { load, lost, last } = pinging(t, url, token);
    const [first, second, third] = order.map((index) => list[index]);
    await Promise.all(list.map(used));
    // What is lost is just what the server had received in full and may have run: that is sent to nobody else.
    const working = await first.killWorking(gate);
    await used(third);
    await waitFor('an answer to each of them', () => [...working].every((which) => lost.some(({ id }) => id === which)));
    assert.deepEqual(lost.map(({ id }) => id).sort((a, b) => a - b), [...working].sort((a, b) => a - b));
    // Now the gate writes while it happens, and the kernel may take what no server reads any more: but nothing that is asked
    // once the server is gone.
    const begun = last();
    await second.kill();
    await used(third);
    for (const { status, text, id } of lost) {
      assert.ok(id <= begun);
      assert.equal(status, 502, text);
      assert.match(text, /ended the connection/);
      assert.equal(JSON.parse(text).id, id);
    }
    await third.kill();
    await waitFor('503', () => lost.some(({ status }) => status === 503));
    const began = performance.now();
    await first.revive();
    await waitFor('the server to be used again', () => first.own > 0);
    assert.ok(performance.now() - began < 2 * INTERVAL + 1000 * patience, 'two intervals');
    await used(first);
    await load.stop();
    for (const { id, status, headers, text } of lost.filter(({ status }) => status !== 502)) {
      assert.equal(status, 503);
      assert.ok(Number(headers['retry-after']) > 0);
      assert.equal(headers['gatehouse-error-origin'], 'gateway');
      assert.equal(JSON.parse(text).id, id);
      assert.ok(!received.has(id), 'a server has what was refused for want of a server');
    }
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
    garbage: [(socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n\r\n'), 502],
    silence: [() => {}, 504],
    end: [(socket) => socket.destroy(), 502],
  };
  for (const [name, [handle, status]] of Object.entries(bad)) {
    await t.test(name, async (t) => {
      const { list } = await servers(t, 1);
      const met = []; // when it was sent a request
      const server = await rawServer(t, (socket) => socket.once('data', () => {
        met.push(performance.now());
        socket.resume();
        handle(socket);
      }));
      // More than a mark lasts, and more than the good one ever takes.
      const { ask } = await setUp(t, several([server, ...list], { health_check: { type: 'off' } }), { workers: 1, limits: { response_timeout: `${MARK + 500 * patience}ms` } });
      const answers = [];
      await waitFor('30 requests after a bad one', async () => {
        answers.push(await ask());
        return answers.length - answers.findIndex((answer) => answer.status !== 200) > 30 && met.length > 0;
      }, { every: 0, deadline: 30_000 });
      const failed = answers.filter((answer) => answer.status !== 200);
      assert.equal(failed.length, met.length);
      for (const answer of failed) {
        assert.equal(answer.status, status);
        assert.equal(answer.headers['gatehouse-error-origin'], 'gateway');
      }
      met.slice(1).forEach((time, i) => assert.ok(time - met[i] >= MARK, `tried again after ${time - met[i]} ms`));
      assert.ok(answers.length - failed.length > 30 - met.length);
    });
  }
});

test('a call that takes too long does not close an app that has no other endpoint left', async (t) => {
  const slow = { method: 'tools/call', params: { name: 'slow', arguments: {} } };
  const server = await Upstream.start(async (request, response) => {
    const { id, method } = JSON.parse(await body(request));
    if (method !== 'ping') return;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }));
  });
  t.after(() => server.stop());
  const gone = { uri: `mcp+http://127.0.0.1:${await freePort()}/mcp` };
  const { ask, gate } = await setUp(t, several([gone, server], { health_check: { type: 'off' } }), { workers: 1, limits: { response_timeout: `${500 * patience}ms` } });
  await waitFor('the other to be found out', async () => {
    await ok(ask());
    return await gate.metric('upstream_failed_total') > 0;
  });
  const calls = await Promise.all([slow, slow].map(ask));
  assert.deepEqual(calls.map(({ status }) => status), [504, 504]);
  await ok(ask());
  // Killed, it is not there, whatever it was before.
  const [call, ...pings] = await Promise.all([ask(slow), ...[1, 2, 3].map(() => ask())]);
  assert.equal(call.status, 504);
  for (const ping of pings) await ok(ping);
  await server.stop();
  const answer = await ask();
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers['retry-after']) > 0);
});

test('hang, reset, garbage and slow endpoints under load: every request is answered in time', async (t) => {
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
  const timeout = 1000 * patience;
  const { url, token } = await setUp(t, several([...bad, slow, list[0]], { health_check: { type: 'off' } }), { limits: { response_timeout: `${timeout}ms` } });
  const { load, lost } = pinging(t, url, token);
  await waitFor('each kind of endpoint, and many answers', () => Object.values(met).every((count) => count > 0)
    && lost.some(({ status }) => status === 504) && load.done.length > 1500, { deadline: 30_000 });
  await load.stop();
  assert.deepEqual(load.failures.filter(({ code }) => code), []);
  assert.deepEqual(lost.filter(({ status }) => status !== 502 && status !== 504), []);
  // What hangs costs a request its timeout, and little more.
  for (const { started, ended } of [...load.done, ...load.failures]) assert.ok(ended - started < timeout + 4000 * patience, `${ended - started} ms`);
  assert.ok(lost.length < load.done.length / 5, `${lost.length} failed, ${load.done.length} did not`);
  assert.ok(list[0].own > 100);
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

test('a server with a wrong certificate is passed by', async (t) => {
  const { list } = await servers(t, 1);
  const issuer = await Issuer.make();
  const gate = await Gateway.prepare(t, { resources: { 'issuer.yaml': [authConfig('issuer', issuer)] }, workers: 1 });
  const right = await makeCertificate(`${gate.directory}/tls`, 'right.example.com');
  const wrong = await makeCertificate(`${gate.directory}/tls`, 'wrong.example.com');
  const shaken = []; // when it was tried
  const server = createTlsServer({ cert: readFileSync(wrong.certificate), key: readFileSync(wrong.key) }, () => {});
  server.on('connection', () => shaken.push(performance.now()));
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
  let answered = 0;
  await waitFor('20 requests after it was tried', async () => {
    await ok(post(gate.url('app'), token));
    answered += shaken.length > 0;
    return answered > 20;
  }, { every: 0, deadline: 30_000 });
  shaken.slice(1).forEach((time, i) => assert.ok(time - shaken[i] >= MARK, `tried again after ${time - shaken[i]} ms`));
});
