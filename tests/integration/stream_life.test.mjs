// How long an event stream lives: as long as its token, its session and the config that judged it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { MCP_HEADERS, PING, open } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Upstream } from './harness/upstream.mjs';
import { patience, waitFor } from './harness/wait.mjs';

// Two apps with an issuer each; every request to them is answered by a stream with one event.
async function setUp(t, options = {}) {
  let gone = 0;
  const upstream = await Upstream.start((request, response) => {
    request.resume();
    response.on('close', () => gone++);
    response.writeHead(200, { 'content-type': 'text/event-stream', ...options.headers }).write('data: first\n\n');
  });
  t.after(() => upstream.stop());
  const issuers = { a: await Issuer.make(), b: await Issuer.make() };
  const config = (name, jwt = {}, issuer = issuers[name]) => authConfig(name, issuer, { labels: { app: name }, jwt });
  const gate = await Gateway.start(t, {
    apps: ['a', 'b'].map((name) => ({ name, uri: upstream.uri, labels: { app: name } })),
    resources: { 'a.yaml': [config('a')], 'b.yaml': [config('b')] },
    ...options,
  });
  const stream = async (app, token) => {
    const { status, stream: body } = await open(gate.url(app), { method: 'POST', body: PING, headers: { ...MCP_HEADERS, authorization: `Bearer ${token}` } });
    assert.equal(status, 200);
    const got = { text: '', ended: false, broken: false };
    body.setEncoding('utf8');
    body.on('data', (part) => (got.text += part)).on('end', () => (got.ended = true)).on('error', () => (got.broken = true));
    await waitFor('the first event', () => got.text === 'data: first\n\n');
    return got;
  };
  return { gate, issuers, config, stream, gone: () => gone };
}

function lastEvent({ text, ended, broken }) {
  assert.equal(broken, false, 'the stream ended in good order');
  assert.equal(ended, true);
  const [, event, rest] = /^data: first\n\nevent: message\ndata: (.*)\n\n(.*)$/s.exec(text) ?? [];
  assert.ok(event, `a last event in ${JSON.stringify(text)}`);
  assert.equal(rest, '');
  const message = JSON.parse(event);
  assert.equal(message.jsonrpc, '2.0');
  assert.equal(typeof message.error.code, 'number');
  return message.error.message;
}

async function several(count, make) {
  return Promise.all(Array.from({ length: count }, make));
}

test('a change that withdraws access ends the streams within a second, and says why', async (t) => {
  const { gate, issuers, config, stream, gone } = await setUp(t);
  const tokens = { a: await issuers.a.token(gate.url('a')), b: await issuers.b.token(gate.url('b')) };
  const changes = [
    ['audience', () => gate.writeResource('a.yaml', config('a', { audience: 'https://elsewhere.example.com' })), /resource/],
    ['a required claim', () => gate.writeResource('a.yaml', config('a', { required_claims: { team: 'x' } })), /claim/],
    ['a required scope', () => gate.writeResource('a.yaml', config('a', { required_scopes: ['x'] })), /scope/],
    ['the username claim', () => gate.writeResource('a.yaml', config('a', { username_claim: 'sub' })), /claim/],
    ['algorithms', () => gate.writeResource('a.yaml', config('a', { algorithms: ['RS256'] })), /algorithm/],
    ['labels', () => gate.writeResource('a.yaml', authConfig('a', issuers.a, { labels: { app: 'none' } })), /issuer/],
    ['removal', () => gate.removeResource('a.yaml'), /issuer/],
  ];
  const others = await several(4, () => stream('b', tokens.b));
  for (const [name, change, reason] of changes) {
    const mine = await several(4, () => stream('a', tokens.a));
    const before = performance.now();
    change();
    await waitFor(`the streams to end by ${name}`, () => mine.every(({ ended, broken }) => ended || broken), { deadline: 3000 });
    const took = performance.now() - before;
    t.diagnostic(`${name}: ${took.toFixed(0)} ms`);
    assert.ok(took < 1000 * patience, `${name} took ${took} ms`);
    for (const one of mine) assert.match(lastEvent(one), reason, name);
    gate.writeResource('a.yaml', config('a'));
    await waitFor('the config to be back', async () => {
      const { status, stream: body } = await open(gate.url('a'), { method: 'POST', body: PING, headers: { ...MCP_HEADERS, authorization: `Bearer ${tokens.a}` } });
      body.destroy();
      return status === 200;
    });
  }
  for (const { text, ended, broken } of others) assert.deepEqual([text, ended, broken], ['data: first\n\n', false, false], "another app's streams go on");
  assert.ok(gone() >= changes.length * 4, 'the app saw its streams end');
});

test('a change that a session still satisfies leaves its streams alone', async (t) => {
  const { gate, issuers, config, stream } = await setUp(t, { workers: 1 });
  const token = await issuers.a.token(gate.url('a'), { team: 'x', scope: 'read write' });
  gate.writeResource('a.yaml', config('a', { required_claims: { team: 'x' } }));
  await waitFor('the claim to be recorded', async () => (await gate.dump('config', 'app_auth_configs')).some(([, value]) => /team/.test(value)));
  const mine = await several(4, () => stream('a', token));
  const generation = async () => (await gate.metrics()).config_generation;
  const changes = [
    config('a', { required_claims: { team: 'x' }, max_token_age: '1m' }),
    config('a', { required_claims: { team: 'x' }, required_scopes: ['read'] }),
    config('a', { clock_skew: '30s' }),
    config('a', { audience: ['https://elsewhere.example.com', '{{app.resource}}'] }),
  ];
  for (const change of changes) {
    const before = await generation();
    gate.writeResource('a.yaml', change);
    await waitFor('the change to be published', async () => (await generation()) !== before);
  }
  // One worker: the review that ends this stream has seen all others.
  const probe = await stream('b', await issuers.b.token(gate.url('b')));
  gate.removeResource('b.yaml');
  await waitFor('the review', () => probe.ended);
  for (const { text, ended, broken } of mine) assert.deepEqual([text, ended, broken], ['data: first\n\n', false, false]);
});

test('a stream whose key was withdrawn ends; those of other keys go on', async (t) => {
  const { gate, issuers, config, stream } = await setUp(t);
  const old = issuers.a.key;
  const oldToken = await issuers.a.token(gate.url('a'));
  const next = await issuers.a.addKey('ES256');
  gate.writeResource('a.yaml', config('a'));
  const newToken = await issuers.a.token(gate.url('a'));
  await waitFor('the new key', async () => (await gate.dump('config', 'keys')).length === 3);
  const before = [await stream('a', oldToken), await stream('a', newToken)];
  issuers.a.keys = [next];
  gate.writeResource('a.yaml', config('a'));
  await waitFor('the old one to end', () => before[0].ended || before[0].broken, { deadline: 1000 * patience });
  assert.match(lastEvent(before[0]), /key/);
  assert.equal(before[1].ended, false);
  assert.notEqual(old.kid, next.kid);
});

test('a stream ends when its token expires, stream_grace later at most', async (t) => {
  for (const [grace, least, most] of [['0s', 0, 2500], ['2s', 1500, 4500]]) {
    const { gate, issuers, stream } = await setUp(t, { limits: { stream_grace: grace } });
    const exp = Math.floor(Date.now() / 1000) + 2;
    const mine = await stream('a', await issuers.a.token(gate.url('a'), { exp }));
    await waitFor('the stream to end', () => mine.ended || mine.broken, { deadline: 10_000 });
    const late = Date.now() - exp * 1000;
    t.diagnostic(`grace ${grace}: ended ${late} ms after exp`);
    assert.match(lastEvent(mine), /expired/);
    assert.ok(late >= least && late < most * patience, `${late} ms`);
  }
});

test('revoking a user ends each of 500 open streams, in every worker, and no other', async (t) => {
  const STREAMS = 500;
  const { gate, issuers, stream } = await setUp(t);
  const mallory = await issuers.a.token(gate.url('a'), { email: 'mallory@example.com' });
  const alice = await issuers.a.token(gate.url('a'), { email: 'alice@example.com' });
  // Another issuer's user of the same name is another user.
  const namesake = await issuers.b.token(gate.url('b'), { email: 'mallory@example.com' });
  const revoked = await several(STREAMS, () => stream('a', mallory));
  const others = await several(10, (_, i) => (i % 2 ? stream('a', alice) : stream('b', namesake)));
  const before = performance.now();
  const { status, output } = await gatehouse('sessions', 'revoke', '--user', 'mallory@example.com', '--issuer', issuers.a.name, '-c', gate.settingsPath);
  assert.equal(status, 0, output);
  const returned = performance.now();
  await waitFor('the streams to end', () => revoked.every(({ ended, broken }) => ended || broken), { deadline: 5000 });
  const took = performance.now() - returned;
  t.diagnostic(`the command took ${(returned - before).toFixed(0)} ms, the streams ${took.toFixed(0)} ms more`);
  assert.ok(took < 1000 * patience, `${took} ms`);
  for (const one of revoked) assert.match(lastEvent(one), /revoked/);
  for (const { text, ended, broken } of others) assert.deepEqual([text, ended, broken], ['data: first\n\n', false, false]);
});

test('a stream that declared its length is cut off at its end, with nothing of ours inside', async (t) => {
  const { gate, issuers, stream } = await setUp(t, { headers: { 'content-length': 1000 } });
  const exp = Math.floor(Date.now() / 1000) + 2;
  const mine = await stream('a', await issuers.a.token(gate.url('a'), { exp }));
  await waitFor('the stream to end', () => mine.ended || mine.broken, { deadline: 10_000 });
  assert.deepEqual([mine.text, mine.broken], ['data: first\n\n', true]);
});
