// What strangers put on the wire, and what crosses the gate.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, PING, Raw, bytes, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { oneApp } from './harness/one_app.mjs';
import { Upstream } from './harness/upstream.mjs';

async function setUp(t, options) {
  const parts = await oneApp(t, options);
  const host = `127.0.0.1:${parts.gate.port}`;
  const head = (more = {}, line = 'POST /mcp/apps/app HTTP/1.1') =>
    bytes(line, { Host: host, Authorization: `Bearer ${parts.token}`, ...MCP_HEADERS, ...more });
  return { ...parts, host, head };
}

// One connection for one exchange of raw bytes.
async function exchange(gate, text, options) {
  const raw = await Raw.open(gate.port);
  try {
    await raw.write(text);
    return await raw.response(options);
  } finally {
    raw.destroy();
  }
}

test('shapes that smuggle are refused, and end the connection', async (t) => {
  const { gate, upstream, token, host } = await setUp(t);
  const start = `POST /mcp/apps/app HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n`;
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const shapes = {
    'both lengths': `${start}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'two different lengths': `${start}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}${smuggled}`,
    'a list of lengths': `${start}Content-Length: 2, 3\r\n\r\n{}${smuggled}`,
    'a signed length': `${start}Content-Length: +2\r\n\r\n{}${smuggled}`,
    'a hexadecimal length': `${start}Content-Length: 0x2\r\n\r\n{}${smuggled}`,
    'a length beyond numbers': `${start}Content-Length: 99999999999999999999\r\n\r\n{}`,
    'an odd coding': `${start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'chunked twice': `${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'chunked, identity': `${start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
    'space before the colon': `${start}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'a folded line': `${start}X-A: b\r\n c\r\n\r\n${smuggled}`,
    'a bare LF': `${start}X-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a bare CR': `${start}X-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a NUL': `${start}X-A: b\0c\r\n\r\n`,
    'two Hosts': `${start}Host: other\r\nContent-Length: 2\r\n\r\n{}`,
    'no Host': `POST /mcp/apps/app HTTP/1.1\r\nAuthorization: Bearer ${token}\r\nContent-Length: 2\r\n\r\n{}`,
    'a header without a name': `${start}: x\r\n\r\n`,
    'a header without a colon': `${start}nonsense\r\n\r\n`,
    'chunks in HTTP/1.0': `POST /mcp/apps/app HTTP/1.0\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a chunk size with a sign': `${start}Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n`,
    'a chunk size in 0x': `${start}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n`,
    'a chunk with LF only': `${start}Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`,
    'a chunk without its CRLF': `${start}Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n`,
    'a chunk size beyond numbers': `${start}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
    'spaces in the request line': `POST  /mcp/apps/app HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    'a lower-case version': `POST /mcp/apps/app http/1.1\r\nHost: ${host}\r\n\r\n`,
    'HTTP/2.0 in words': `POST /mcp/apps/app HTTP/2.0\r\nHost: ${host}\r\n\r\n`,
  };
  for (const [name, shape] of Object.entries(shapes)) {
    await t.test(name, async () => {
      const raw = await Raw.open(gate.port);
      await raw.write(shape);
      const { status } = await raw.response();
      assert.ok([400, 413, 501, 505].includes(status), String(status));
      assert.ok(await raw.closes(), 'the connection ends');
      assert.equal(raw.received.length, 0, 'nothing is answered after it');
      raw.destroy();
    });
  }
  await t.test('no such request reached the app', () => assert.deepEqual(upstream.requests, []));
});

test('pipelining and keep-alive', async (t) => {
  const { gate, upstream, head } = await setUp(t);
  const raw = await Raw.open(gate.port);
  t.after(() => raw.destroy());
  const message = (id) => JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' });
  const whole = Array.from({ length: 50 }, (_, id) => head({ 'Content-Length': message(id).length }) + message(id)).join('');
  await raw.write(whole);
  for (let id = 0; id < 50; id++) {
    const answer = await raw.response();
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.body).id, id);
  }
  assert.equal(upstream.requests.length, 50);
  assert.ok(new Set(upstream.requests.map(({ port }) => port)).size < 5, 'upstream connections are used again');
  await raw.write(head({ 'Content-Length': PING.length, Connection: 'close' }) + PING);
  const last = await raw.response();
  assert.equal(last.status, 200);
  assert.equal(last.headers.connection, 'close');
  assert.ok(await raw.closes());
});

test('a request that comes byte by byte', async (t) => {
  const { gate, head } = await setUp(t);
  const raw = await Raw.open(gate.port);
  t.after(() => raw.destroy());
  for (const byte of head({ 'Content-Length': PING.length }) + PING) await raw.write(byte);
  assert.equal((await raw.response()).status, 200);
});

test('a chunked request, cut at every byte', async (t) => {
  const { gate, head } = await setUp(t);
  const start = head({ 'Transfer-Encoding': 'chunked' });
  const half = Math.floor(PING.length / 2);
  const chunks = `${half.toString(16)};name=value\r\n${PING.slice(0, half)}\r\n${(PING.length - half).toString(16)}\r\n${PING.slice(half)}\r\n0\r\nTrailer: x\r\n\r\n`;
  const raw = await Raw.open(gate.port);
  t.after(() => raw.destroy());
  for (let cut = 0; cut <= chunks.length; cut++) {
    await raw.write(start + chunks.slice(0, cut));
    // A tick of the event loop puts the halves into two segments.
    await new Promise((resolve) => setImmediate(resolve));
    await raw.write(chunks.slice(cut));
    const answer = await raw.response();
    assert.equal(answer.status, 200, `cut at ${cut}`);
    assert.equal(JSON.parse(answer.body).result.body, PING, `cut at ${cut}`);
  }
});

test('Expect: 100-continue', async (t) => {
  const { gate, head, host } = await setUp(t);
  await t.test('is answered before the body, once the token is good', async () => {
    const raw = await Raw.open(gate.port);
    await raw.write(head({ 'Content-Length': PING.length, Expect: '100-continue' }));
    assert.equal((await raw.response()).status, 100);
    await raw.write(PING);
    assert.equal((await raw.response()).status, 200);
    raw.destroy();
  });
  await t.test('is not answered without a token', async () => {
    const answer = await exchange(gate, bytes('POST /mcp/apps/app HTTP/1.1', { Host: host, 'Content-Length': 5, Expect: '100-continue' }));
    assert.equal(answer.status, 401);
  });
  await t.test('another expectation is 417', async () => {
    const answer = await exchange(gate, head({ 'Content-Length': 2, Expect: 'magic' }) + '{}');
    assert.equal(answer.status, 417);
  });
});

test('limits', async (t) => {
  const { gate, head, token, host, upstream } = await setUp(t, {
    limits: { head_size: '8KiB', body_size: '64KiB', head_timeout: '300ms', body_timeout: '300ms', idle_timeout: '300ms' },
  });
  await t.test('431 for a head that is too large', async () => {
    assert.equal((await exchange(gate, head({ 'X-Filler': 'x'.repeat(16 * 1024) }))).status, 431);
  });
  await t.test('431 for too many headers', async () => {
    const many = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`X${i}`, '1']));
    assert.equal((await exchange(gate, head(many))).status, 431);
  });
  await t.test('414 for a target that is too long', async () => {
    const answer = await exchange(gate, head({}, `GET /mcp/apps/app?${'x'.repeat(16 * 1024)} HTTP/1.1`));
    assert.ok([414, 431].includes(answer.status), String(answer.status));
  });
  await t.test('413 for a length that is too large, before the body', async () => {
    assert.equal((await exchange(gate, head({ 'Content-Length': 64 * 1024 + 1 }))).status, 413);
  });
  await t.test('413 for chunks that grow too large', async () => {
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
    assert.equal((await exchange(gate, head({ 'Transfer-Encoding': 'chunked' }) + chunk.repeat(5))).status, 413);
  });
  await t.test('a body of exactly the limit passes', async () => {
    const body = PING.padEnd(64 * 1024, ' ');
    assert.equal((await post(gate.url('app'), token, { body })).status, 200);
  });
  await t.test('408 for a head that does not end', async () => {
    const raw = await Raw.open(gate.port);
    await raw.write('POST /mcp/apps/app HTTP/1.1\r\nHost: ');
    assert.equal((await raw.response()).status, 408);
    assert.ok(await raw.closes());
  });
  await t.test('408 for a body that does not end', async () => {
    const raw = await Raw.open(gate.port);
    await raw.write(head({ 'Content-Length': 100 }) + '{');
    assert.equal((await raw.response()).status, 408);
    assert.ok(await raw.closes());
  });
  await t.test('a connection without a request is closed in silence', async () => {
    const raw = await Raw.open(gate.port);
    assert.ok(await raw.closes());
    assert.equal(raw.received.length, 0);
  });
  await t.test('an idle kept connection is closed in silence', async () => {
    const raw = await Raw.open(gate.port);
    await raw.write(head({ 'Content-Length': PING.length }) + PING);
    assert.equal((await raw.response()).status, 200);
    assert.ok(await raw.closes());
    assert.equal(raw.received.length, 0);
  });
  assert.equal(upstream.requests.length, 2);
  assert.ok(host);
});

test('methods', async (t) => {
  const { gate, upstream, head, token, url } = await setUp(t);
  for (const method of ['GET', 'POST', 'DELETE']) {
    await t.test(`${method} passes`, async () => {
      const body = method === 'POST' ? PING : undefined;
      const answer = await request(url, { method, body, headers: { ...MCP_HEADERS, authorization: `Bearer ${token}` } });
      assert.equal(answer.status, 200);
      assert.equal(answer.json.result.method, method);
    });
  }
  await t.test('others are 405 with Allow', async () => {
    const before = upstream.requests.length;
    for (const method of ['PUT', 'PATCH', 'TRACE', 'BREW']) {
      const answer = await exchange(gate, head({ 'Content-Length': 0 }, `${method} /mcp/apps/app HTTP/1.1`));
      assert.ok([405, 501].includes(answer.status), `${method}: ${answer.status}`);
      if (answer.status === 405) assert.match(answer.headers.allow, /GET, POST, DELETE|POST/);
    }
    assert.equal(upstream.requests.length, before);
  });
  await t.test('CONNECT and an absolute target open nothing', async () => {
    const before = upstream.requests.length;
    assert.ok((await exchange(gate, head({}, 'CONNECT example.com:443 HTTP/1.1'))).status >= 400);
    await exchange(gate, head({}, 'GET http://example.com/x HTTP/1.1'));
    assert.equal(upstream.requests.length, before);
  });
  await t.test('HEAD is answered without a body', async () => {
    const raw = await Raw.open(gate.port);
    await raw.write(head({}, 'HEAD /.well-known/oauth-protected-resource/mcp/apps/app HTTP/1.1'));
    const answer = await raw.response({ head: true });
    assert.equal(answer.status, 200);
    assert.ok(Number(answer.headers['content-length']) > 0);
    await raw.write(head({ 'Content-Length': PING.length }) + PING);
    assert.equal((await raw.response()).status, 200, 'the connection is in step');
    raw.destroy();
  });
  await t.test('paths that only look like an app are 404 or 401', async () => {
    for (const path of ['/', '/mcp/apps/', '/mcp/apps', '/MCP/apps/app', '/mcp/apps/app/../app', '/mcp/apps/app%2f', '//mcp/apps/app', '/mcp/apps/app/more']) {
      const before = upstream.requests.length;
      const { status } = await exchange(gate, head({}, `GET ${path} HTTP/1.1`));
      assert.ok([400, 401, 404].includes(status), `${path}: ${status}`);
      assert.equal(upstream.requests.length, before, path);
    }
  });
});

test('headers upstream', async (t) => {
  const { gate, upstream, token, url, host } = await setUp(t);
  const answer = await post(url, token, { headers: {
    'x-forwarded-for': '6.6.6.6', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'https', 'x-forwarded-port': '1', 'x-real-ip': '6.6.6.6', forwarded: 'for=6.6.6.6',
    'proxy-authorization': 'Basic eDp5', dpop: 'x', cookie: 'mine=1; __Host-gatehouse_session=secret; yours=2', te: 'trailers',
    connection: 'keep-alive, x-hop', 'x-hop': '1', 'mcp-protocol-version': '2025-11-25', 'mcp-method': 'ping', 'last-event-id': '7', 'x-own': 'kept',
  } });
  assert.equal(answer.status, 200);
  const [{ headers, url: path }] = upstream.requests;
  assert.equal(path, '/mcp');
  assert.equal(headers['x-forwarded-for'], '127.0.0.1');
  assert.equal(headers['x-real-ip'], '127.0.0.1');
  assert.equal(headers['x-forwarded-host'], host);
  assert.equal(headers['x-forwarded-proto'], 'http');
  assert.equal(headers['x-forwarded-port'], String(gate.port));
  assert.equal(headers.host, `127.0.0.1:${upstream.port}`);
  for (const name of ['authorization', 'proxy-authorization', 'dpop', 'forwarded', 'x-hop', 'te']) assert.equal(headers[name], undefined, name);
  assert.equal(headers.cookie, 'mine=1; yours=2');
  for (const [name, value] of Object.entries({ 'mcp-protocol-version': '2025-11-25', 'mcp-method': 'ping', 'last-event-id': '7', 'x-own': 'kept', accept: MCP_HEADERS.accept, 'content-type': 'application/json' })) {
    assert.equal(headers[name], value, name);
  }
  assert.ok(!JSON.stringify(upstream.requests[0].rawHeaders).includes(token.slice(-20)));
});

test('answers of an app', async (t) => {
  const answers = {
    '202': (response) => response.writeHead(202, { 'mcp-session-id': 's1' }).end(),
    '404': (response) => response.writeHead(404, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}'),
    '401': (response) => response.writeHead(401, { 'www-authenticate': 'Bearer resource_metadata="http://evil/"' }).end('who'),
    '403': (response) => response.writeHead(403, { 'www-authenticate': 'Bearer scope="evil"' }).end('no'),
    'early hints': (response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    },
    'until close': (response) => {
      response.socket.end('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end');
    },
    'both lengths': (response) => response.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'),
    'nonsense': (response) => response.socket.end('what is this\r\n\r\n'),
    'nothing': (response) => response.socket.destroy(),
    'cut': (response) => response.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
    'redirect': (response) => response.writeHead(307, { location: `http://${response.req.headers.host}/mcp/?key=hidden` }).end(),
    'redirect with a password': (response) => response.writeHead(302, { location: 'http://me:hidden@example.com/' }).end(),
    'redirect with a fragment': (response) => response.writeHead(302, { location: '/a#hidden' }).end(),
    'not modified': (response) => response.writeHead(304).end(),
    'split header': (response) => response.socket.end('HTTP/1.1 200 OK\r\nX-A: b\nSet-Cookie: c\r\nContent-Length: 0\r\n\r\n'),
  };
  const { gate, upstream, url, token } = await setUp(t, { handler: async (request, response) => {
    for await (const _ of request);
    answers[request.headers['x-answer']](response);
  } });
  const ask = (answer) => post(url, token, { headers: { 'x-answer': answer } });

  await t.test('202 without a body', async () => {
    const answer = await ask('202');
    assert.equal(answer.status, 202);
    assert.equal(answer.headers['mcp-session-id'], 's1');
  });
  await t.test('404 as it is', async () => {
    const answer = await ask('404');
    assert.equal(answer.status, 404);
    assert.equal(answer.json.error.code, -32601);
  });
  for (const status of ['401', '403']) {
    await t.test(`${status} becomes 502, without its challenge`, async () => {
      const answer = await ask(status);
      assert.equal(answer.status, 502);
      assert.equal(answer.headers['www-authenticate'], undefined);
      assert.equal(answer.headers['gatehouse-error-origin'], 'upstream');
      assert.doesNotMatch(answer.text, /evil|who/);
    });
  }
  for (const moved of ['redirect', 'redirect with a password', 'redirect with a fragment', 'not modified']) {
    await t.test(`${moved}: 502, and no way around the gate`, async () => {
      const answer = await ask(moved);
      assert.equal(answer.status, 502);
      assert.equal(answer.headers.location, undefined);
      assert.equal(answer.headers['gatehouse-error-origin'], 'upstream');
    });
  }
  await t.test('the log says where a redirect leads, without its query', async () => {
    await gate.logged(`app app answered 307, and sends its clients to http://127.0.0.1:${upstream.port}/mcp/; is the path`);
    await gate.logged('sends its clients to elsewhere;');
    await gate.logged('sends its clients to /a;');
    assert.doesNotMatch(gate.log, /hidden/);
  });
  await t.test('a 103 before the answer', async () => assert.equal((await ask('early hints')).status, 200));
  await t.test('a body until the connection ends', async () => assert.equal((await ask('until close')).text, 'to the end'));
  for (const broken of ['both lengths', 'nonsense', 'nothing', 'split header']) {
    await t.test(`${broken}: 502`, async () => {
      const answer = await ask(broken);
      assert.equal(answer.status, 502);
      assert.equal(answer.json.error.code !== undefined, true);
    });
  }
  await t.test('a cut body never looks whole', async () => {
    await assert.rejects(ask('cut'), /aborted|ECONNRESET|socket hang up/);
  });
});

test('a web app sends its clients to its own name, not to its endpoint', async (t) => {
  const { gate, upstream, token } = await oneApp(t, {
    handler: (incoming, response) => response.writeHead(302, { location: incoming.headers['x-to'].replace('OWN', `http://${incoming.headers.host}`) }).end(),
    app: ({ uri }) => ({ uri: uri.replace('mcp+', ''), public_addr: 'web.example.com' }),
    labels: [{ name: '*', values: ['*'] }],
  });
  const ask = async (to) => {
    const answer = await request(`http://127.0.0.1:${gate.port}/a`, { headers: { host: 'web.example.com', authorization: `Bearer ${token}`, 'x-to': to } });
    assert.equal(answer.status, 302, answer.text);
    return answer.headers.location;
  };
  assert.equal(await ask('OWN/login?next=/a'), '/login?next=/a');
  assert.equal(await ask('OWN'), '/');
  assert.equal(await ask('OWN//example.com'), '/.//example.com');
  assert.equal(await ask('https://login.example.com/?back=OWN'), `https://login.example.com/?back=http://127.0.0.1:${upstream.port}`);
  assert.equal(await ask('/b'), '/b');
});

test('an app that is not there is 502, one that does not answer is 504', async (t) => {
  const issuer = await Issuer.make();
  const silent = await Upstream.start(() => {});
  t.after(() => silent.stop());
  const gate = await Gateway.start(t, {
    apps: [{ name: 'absent', uri: 'mcp+http://127.0.0.1:9/mcp' }, { name: 'silent', uri: silent.uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    limits: { response_timeout: '300ms' },
  });
  for (const [app, status] of [['absent', 502], ['silent', 504]]) {
    const answer = await post(gate.url(app), await issuer.token(gate.url(app)));
    assert.equal(answer.status, status);
    assert.equal(answer.json.jsonrpc, '2.0');
    assert.ok(answer.headers['gatehouse-error-origin']);
    assert.doesNotMatch(answer.text, /127\.0\.0\.1|ECONN|errno/);
  }
});

test('a large body arrives whole, and the app may answer before its end', async (t) => {
  const { url, token } = await setUp(t);
  const body = JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'ping', params: { filler: 'ä'.repeat(3_000_000) } });
  const answer = await post(url, token, { body });
  assert.equal(answer.status, 200);
  assert.equal(answer.json.result.body, body);
});

test('the pages of the admin listener are nowhere else', async (t) => {
  const { gate } = await setUp(t);
  for (const page of ['livez', 'readyz', 'metrics']) {
    assert.equal((await request(`${gate.admin}/${page}`)).status, 200, page);
    assert.equal((await request(`${gate.origin}/${page}`)).status, 404, page);
  }
  assert.equal((await request(`${gate.admin}/mcp/apps/app`)).status, 404);
});

test('many connections at once', async (t) => {
  const { url, token } = await setUp(t);
  const answers = await Promise.all(Array.from({ length: 300 }, () => post(url, token)));
  assert.ok(answers.every(({ status }) => status === 200));
});
