// Host and Origin: whose pages, and which names, reach an MCP app.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, PING, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Upstream, body } from './harness/upstream.mjs';

const PAGE = 'https://inspector.example.com';

async function setUp(t) {
  const upstream = await Upstream.start(async (incoming, response) => {
    await body(incoming);
    response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' });
    response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
  });
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri, public_addr: 'app.example.com' }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    gate: { allowed_origins: [PAGE, 'http://localhost:6274'], allowed_hosts: ['gate.internal'] },
  });
  const url = gate.url('app');
  const token = await issuer.token(url);
  const ask = (headers, { method = 'POST', address = url, authorized = true } = {}) => request(address, {
    method, body: method === 'POST' ? PING : undefined, headers: { ...MCP_HEADERS, ...(authorized ? { authorization: `Bearer ${token}` } : {}), ...headers },
  });
  return { upstream, gate, url, ask };
}

test('origins', async (t) => {
  const { upstream, gate, ask } = await setUp(t);
  const strangers = ['https://evil.example.com', 'null', '', 'http://inspector.example.com', `${PAGE}.evil.com`, `${PAGE}:8443`, 'https://INSPECTOR.example.com',
    `${gate.origin}.evil.com`, 'http://localhost', 'file://', `${PAGE} ${PAGE}`];
  for (const origin of strangers) {
    for (const authorized of [true, false]) {
      await t.test(`"${origin}" is refused ${authorized ? 'with' : 'without'} a token`, async () => {
        const answer = await ask({ origin }, { authorized });
        assert.equal(answer.status, 403);
        assert.equal(answer.json.id, null);
        assert.equal(answer.headers['access-control-allow-origin'], undefined);
        assert.deepEqual(upstream.requests.splice(0), []);
      });
    }
  }
  for (const origin of [PAGE, 'http://localhost:6274']) {
    await t.test(`${origin} may read the answer`, async () => {
      const answer = await ask({ origin });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['access-control-allow-origin'], origin);
      assert.equal(answer.headers['access-control-allow-credentials'], undefined);
      assert.equal(answer.headers['access-control-expose-headers'], 'Mcp-Session-Id, WWW-Authenticate, MCP-Protocol-Version');
      assert.match(answer.headers.vary, /Origin/);
    });
  }
  await t.test('an allowed page may read a challenge', async () => {
    const answer = await ask({ origin: PAGE }, { authorized: false });
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['access-control-allow-origin'], PAGE);
    assert.match(answer.headers['access-control-expose-headers'], /WWW-Authenticate/);
  });
  await t.test('a page of the public address is told so, like others', async () => {
    const answer = await ask({ origin: gate.origin });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], gate.origin);
    const asked = await ask({ origin: gate.origin, 'access-control-request-method': 'POST' }, { method: 'OPTIONS', authorized: false });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers['access-control-allow-origin'], gate.origin);
    assert.match(asked.headers['access-control-allow-headers'], /Authorization.*Mcp-Session-Id/);
  });
  await t.test('a page of the host that was asked needs nothing', async () => {
    const answer = await ask({ host: 'gate.internal', origin: 'http://gate.internal' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  });
  await t.test('no origin, no headers', async () => {
    const answer = await ask({});
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  });
  await t.test('an app by its own name is guarded alike', async () => {
    const app = { host: 'app.example.com' };
    const address = `${gate.origin}/mcp`;
    assert.equal((await ask({ ...app, origin: 'https://evil.example.com' }, { address })).status, 403);
    assert.equal((await ask({ ...app, origin: 'https://app.example.com' }, { address })).status, 200);
    assert.equal((await ask({ ...app, origin: gate.origin }, { address })).headers['access-control-allow-origin'], gate.origin);
  });
});

test('preflights', async (t) => {
  const { upstream, gate, ask } = await setUp(t);
  const preflight = (headers, address) => ask({ 'access-control-request-method': 'POST', ...headers }, { method: 'OPTIONS', authorized: false, ...(address ? { address } : {}) });
  await t.test('names what a page may send, without a token', async () => {
    const answer = await preflight({ origin: PAGE, 'access-control-request-headers': 'authorization,mcp-method,mcp-param-region,x-other' });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-origin'], PAGE);
    assert.equal(answer.headers['access-control-allow-methods'], 'GET, POST, DELETE');
    const names = answer.headers['access-control-allow-headers'].toLowerCase().split(', ');
    for (const name of ['authorization', 'content-type', 'accept', 'mcp-session-id', 'mcp-protocol-version', 'last-event-id', 'mcp-method', 'mcp-name', 'mcp-param-region']) assert.ok(names.includes(name), name);
    assert.ok(!names.includes('*') && !names.includes('x-other'));
  });
  await t.test('of a stranger is refused', async () => assert.equal((await preflight({ origin: 'https://evil.example.com' })).status, 403));
  await t.test('of metadata is for all', async () => {
    const answer = await preflight({ origin: 'https://evil.example.com' }, `${gate.origin}/.well-known/oauth-protected-resource/mcp/apps/app`);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  });
  await t.test('OPTIONS that is none', async () => assert.equal((await ask({}, { method: 'OPTIONS' })).status, 405));
  assert.deepEqual(upstream.requests, []);
});

test('hosts', async (t) => {
  const { upstream, gate, ask } = await setUp(t);
  for (const host of ['evil.example.com', `evil.example.com:${gate.port}`, 'localhost.evil.com', '127.0.0.1.evil.com', 'gate.internal.evil.com']) {
    for (const authorized of [true, false]) {
      await t.test(`${host} is refused ${authorized ? 'with' : 'without'} a token`, async () => {
        const answer = await ask({ host, origin: `http://${host}` }, { authorized });
        assert.equal(answer.status, 403);
        assert.equal(answer.json.id, null);
      });
    }
  }
  assert.deepEqual(upstream.requests.splice(0), []);
  for (const host of [`127.0.0.1:${gate.port}`, `localhost:${gate.port}`, 'gate.internal', 'GATE.internal:8443', '[::1]', '10.0.0.1']) {
    await t.test(`${host} is the gate`, async () => assert.equal((await ask({ host })).status, 200));
  }
});

test('wrong origins and hosts are told', async (t) => {
  const gate = await Gateway.prepare(t, { gate: { allowed_origins: ['https://good.example.com', '*', 'https://a.example.com/', 'https://B.example.com', 'https://c.example.com:443'], allowed_hosts: ['a.example.com:80'] } });
  const { status, output } = await gate.check();
  assert.equal(status, 78);
  assert.equal(output.match(/allowed_origins/g).length, 4, output);
  assert.equal(output.match(/allowed_hosts/g).length, 1, output);
});
