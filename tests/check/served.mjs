// A gateway that serves a little of everything and drains: what `make valgrind` looks at.
// Not a test of answers, but it fails when the gateway does not serve, or ends badly.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from '../integration/harness/gateway.mjs';
import { MCP_HEADERS, PING, Raw, open, post } from '../integration/harness/http.mjs';
import { Issuer } from '../integration/harness/issuer.mjs';
import { Upstream } from '../integration/harness/upstream.mjs';
import { waitFor } from '../integration/harness/wait.mjs';

test('serves and drains', async (t) => {
  const upstream = await Upstream.start((request, response) => {
    if (!request.headers['x-stream']) return upstream.echo(request, response, {});
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: x\n\n');
    return undefined;
  });
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }, { name: 'absent', uri: 'mcp+http://127.0.0.1:9/mcp' }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    workers: 1,
    tls: true,
    debugApp: true,
  });
  const url = gate.url('app');
  const token = await issuer.token(url);
  const secure = { ca: gate.certificate.pem, servername: 'gate.example.com' };
  for (let i = 0; i < 5; i++) {
    assert.equal((await post(url, token)).status, 200);
    assert.equal((await post(gate.tlsUrl('app'), await issuer.token(url, { sub: `user-${i}` }), secure)).status, 200);
    assert.equal((await post(url, `${token}x`)).status, 401);
    assert.equal((await post(url)).status, 401);
  }
  assert.equal((await post(gate.url('absent'), await issuer.token(gate.url('absent')))).status, 502);
  await gate.metrics();

  const headers = { ...MCP_HEADERS, authorization: `Bearer ${token}`, 'x-stream': '1' };
  const streams = await Promise.all([1, 2, 3].map(() => open(url, { method: 'POST', body: PING, headers })));
  streams[0].request.destroy();
  const broken = await Raw.open(gate.port);
  await broken.write('GET / HTTP/1.1\r\nHost : x\r\n\r\n');
  await broken.response();
  const half = await Raw.open(gate.port);
  await half.write('GET / HT');

  gate.writeResource('issuer.yaml', authConfig('issuer', issuer, { jwt: { audience: 'elsewhere' } }));
  await waitFor('the edit', async () => (await post(url, token)).status === 401);
  gate.writeResource('issuer.yaml', authConfig('issuer', issuer));
  await waitFor('the edit', async () => (await post(url, token)).status === 200);
  gate.signal('SIGHUP');
  assert.equal((await post(url, token)).status, 200);

  gate.signal('SIGTERM');
  upstream.http.closeAllConnections();
  half.destroy();
  assert.deepEqual(await gate.program.exited, { status: 0, signal: null });
  assert.doesNotMatch(gate.log, /^==\d+==/m, gate.log);
  for (const role of ['worker 0', 'watcher', 'janitor']) {
    assert.match(gate.log, new RegExp(`process_ended: ${role} \\(pid \\d+\\) ended: exit status 0$`, 'm'));
  }
});
