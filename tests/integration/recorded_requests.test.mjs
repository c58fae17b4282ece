// What a server is sent is what the client sent: each request of a whole scenario, byte for byte,
// but for the headers that the gate takes away and adds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { Issuer } from './harness/issuer.mjs';
import { noResumption, overHttp, startEverything, startMcpProxy } from './harness/mcp.mjs';
import { Recorder } from './harness/recorder.mjs';
import { Normaliser, recordScenario } from './harness/scenario.mjs';

// Of one connection (RFC 9110, 7.6.1), or, without a body, of no meaning.
const hop = (name, value) => name === 'connection' || name === 'keep-alive' || (name === 'content-length' && value === '0');
const added = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-proto', 'x-real-ip'];

// Requests in an order that does not depend on which of two at once came first. Ids that chance made
// are replaced, each list by its own.
function comparable(requests) {
  const normaliser = new Normaliser();
  return requests
    .map(({ method, httpVersion, rawHeaders, body }) => {
      const headers = [];
      for (let i = 0; i < rawHeaders.length; i += 2) headers.push([rawHeaders[i].toLowerCase(), rawHeaders[i + 1]]);
      return { method, httpVersion, body: normaliser.text(body), headers: headers.map(([name, value]) => [name, normaliser.text(value)]) };
    })
    .sort((one, other) => (`${one.method} ${one.body}` < `${other.method} ${other.body}` ? -1 : 1));
}

function split(request) {
  const kept = [];
  const taken = {};
  for (const [name, value] of request.headers) {
    if (hop(name, value)) continue;
    // Answers that may have to be read are asked for as they are.
    if (name === 'host' || name === 'authorization' || name === 'accept-encoding' || added.includes(name)) taken[name] = value;
    else kept.push([name, value]);
  }
  return { kept: kept.sort(([one], [other]) => (one < other ? -1 : 1)), taken };
}

async function compare(t, server, kind, facts) {
  const recorder = await Recorder.start(t, server.port);
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: `mcp+${recorder.origin}/mcp` }], resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
  });
  const url = gate.url('app');
  const token = await issuer.token(url);
  await recordScenario(t, overHttp(kind, `${recorder.origin}/mcp`, { ...noResumption, token }), facts);
  // A method that nobody knows, and a task that is nobody's, are answered by the gate.
  const sent = comparable(recorder.take()).filter(({ body }) => !/"method":"no\/such"|"taskId":"none"/.test(body));
  await recordScenario(t, overHttp(kind, url, { ...noResumption, token }), facts);
  const received = comparable(recorder.take());

  assert.ok(sent.length > 40, `${sent.length} requests`);
  assert.deepEqual(received.map(({ method, body }) => [method, body]), sent.map(({ method, body }) => [method, body]));
  for (const [i, request] of received.entries()) {
    const through = split(request);
    const direct = split(sent[i]);
    assert.deepEqual(through.kept, direct.kept, request.body);
    assert.equal(request.httpVersion, '1.1');
    assert.deepEqual(Object.keys(through.taken).sort(), ['accept-encoding', 'host', ...added].sort());
    assert.deepEqual(Object.keys(direct.taken).sort(), ['accept-encoding', 'authorization', 'host']);
    assert.equal(through.taken['accept-encoding'], 'identity');
    assert.equal(through.taken.host, recorder.origin.slice(7));
    assert.deepEqual(added.map((name) => through.taken[name]), ['127.0.0.1', `127.0.0.1:${gate.port}`, String(gate.port), 'http', '127.0.0.1']);
    assert.ok(!JSON.stringify(request).includes(token));
  }
}

test('a scenario of the legacy era', async (t) => {
  await compare(t, await startEverything(t), 'v1', { asks: true, tells: true, tasks: true });
});

test('a scenario of the modern era', async (t) => {
  const server = await startMcpProxy(t);
  await compare(t, server, 'modern', { tells: true, piped: true });
});
