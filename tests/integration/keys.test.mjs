// The life of key sets, at a real identity provider: found by its metadata, turned round, withdrawn, out of reach.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { IdentityProvider, makeKey } from './harness/provider.mjs';
import { Upstream } from './harness/upstream.mjs';
import { patience, waitFor } from './harness/wait.mjs';

// A gate whose only config names the provider's issuer, and no place of keys.
async function setUp(t, keys, options = {}) {
  const provider = await IdentityProvider.start(t, keys);
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const config = authConfig('provider', { name: provider.issuer }, { jwt: { username_claim: 'sub' } });
  delete config.spec.jwt.static_jwks;
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }],
    resources: { 'provider.yaml': [config] },
    ...options,
  });
  return { gate, provider, url: gate.url('app') };
}

// Tokens that name keys of nobody.
async function invented(issuer, audience, count) {
  const stranger = await Issuer.make(issuer);
  return Promise.all(Array.from({ length: count }, (_, i) => stranger.token(audience, {}, { header: { kid: `invented-${i}` } })));
}

async function tokens(provider, url, count) {
  const all = [];
  for (let i = 0; i < count; i++) all.push(await provider.token(url));
  return all;
}

test('through a rotation old and new tokens work, and 1 000 requests at once cost one fetch', async (t) => {
  const [first, second] = [await makeKey('first'), await makeKey('second')];
  const { gate, provider, url } = await setUp(t, [first]);
  const old = await provider.token(url);
  assert.equal((await post(url, old)).status, 200);
  assert.equal(provider.fetches, 1);

  await provider.use([second, first]);
  const fresh = await tokens(provider, url, 40);
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => post(url, fresh[i % fresh.length])));
  const statuses = new Map();
  for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  assert.deepEqual(Object.fromEntries(statuses), { 200: 1000 });
  assert.equal(provider.fetches, 2);
  assert.equal(await gate.metric('key_fetches_total'), 2);

  assert.equal((await post(url, old)).status, 200);
  await provider.use([first]);
  const another = await provider.token(url);
  await provider.use([second, first]);
  assert.equal((await post(url, another)).status, 200, 'a new token of the old key');
  assert.equal(provider.fetches, 2);
});

test('a key that is withdrawn ends its sessions', async (t) => {
  const [first, second] = [await makeKey('first'), await makeKey('second')];
  const { provider, url } = await setUp(t, [first]);
  const old = await provider.token(url);
  assert.equal((await post(url, old)).status, 200);

  await provider.use([second]);
  assert.equal((await post(url, old)).status, 200, 'nobody has told the gate yet');
  assert.equal((await post(url, await provider.token(url))).status, 200);
  const began = performance.now();
  await waitFor('the session to end', async () => (await post(url, old)).status === 401);
  assert.ok(performance.now() - began < 1000 * patience);
});

test('a flood of invented kids delays no good token', async (t) => {
  // Who waited for a key would wait this long; a busy machine does not.
  const { gate, provider, url } = await setUp(t, [await makeKey('only')], { limits: { key_wait: '30s' } });
  const good = await tokens(provider, url, 50);
  const flood = await invented(provider.issuer, url, 500);
  const refused = Promise.all(flood.map((token) => post(url, token)));
  const times = [];
  // One after the other, each a new session: their keys are known.
  for (const token of good) {
    const began = performance.now();
    assert.equal((await post(url, token)).status, 200);
    times.push(performance.now() - began);
  }
  for (const { status } of await refused) assert.equal(status, 401);
  times.sort((a, b) => a - b);
  assert.ok(times.at(-1) < Math.min(5000 * patience, 20_000), `the slowest good request took ${Math.round(times.at(-1))} ms`);
  // The fetch at the start, and the one that an unknown kid may ask for in a minute.
  assert.ok(provider.fetches <= 2, `${provider.fetches} fetches`);
  assert.equal((await post(url, flood[0])).status, 401);
  assert.equal(await gate.metric('key_fetches_total'), provider.fetches);
});

test('the outage of the provider disturbs nobody, a start during it neither', async (t) => {
  const { gate, provider, url } = await setUp(t, [await makeKey('only')]);
  const [known, later, afterwards] = await tokens(provider, url, 3);
  assert.equal((await post(url, known)).status, 200);

  provider.down = true;
  const [stranger, another] = await invented(provider.issuer, url, 2);
  // Whether this kid is new nobody can say now: that is the gate's trouble, not the token's.
  const unsure = await post(url, stranger);
  assert.equal(unsure.status, 503);
  assert.match(unsure.headers['retry-after'], /^\d+$/);
  assert.equal((await post(url, known)).status, 200);
  assert.equal((await post(url, later)).status, 200, 'a new session by keys that are known');

  await gate.stop();
  await gate.run();
  await gate.logged(/key_fetch_failed/);
  await gate.logged(/keys_stale/);
  assert.equal((await post(url, known)).status, 200, 'a session of before');
  assert.equal((await post(url, afterwards)).status, 200, 'a new session by keys of before');
  assert.equal((await post(url, another)).status, 503);

  provider.down = false;
  await waitFor('the provider to be asked again', async () => (await post(url, another)).status === 401, { deadline: 20_000 });
  assert.equal((await post(url, await provider.token(url))).status, 200);
});
