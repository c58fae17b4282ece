// Which bearer tokens open an app, and which do not. Good ones are made by npm's jose.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { MCP_HEADERS, PING, Raw, bytes, post } from './harness/http.mjs';
import { Issuer, KeyServer } from './harness/issuer.mjs';
import { Upstream } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const now = () => Math.floor(Date.now() / 1000);

async function setUp(t, { config = {}, issuer, ...options } = {}) {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  issuer ??= await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer, config)] },
    ...options,
  });
  return { gate, issuer, upstream, url: gate.url('app') };
}

function refusal(answer, url) {
  assert.equal(answer.status, 401, answer.text);
  const challenge = answer.headers['www-authenticate'];
  assert.match(challenge, /^Bearer /);
  assert.match(challenge, /error="invalid_token"/);
  assert.match(challenge, /error_description="[^"]+"/);
  assert.ok(challenge.includes(`resource_metadata="${url.replace('/mcp/apps/', '/.well-known/oauth-protected-resource/mcp/apps/')}"`), challenge);
  assert.equal(answer.headers['gatehouse-error-origin'], 'gateway');
}

test('refused tokens', async (t) => {
  const { gate, issuer, upstream, url } = await setUp(t);
  const stranger = await Issuer.make(issuer.name);
  const foreign = await Issuer.make('https://foreign.example.com');
  const header = JSON.stringify({ alg: 'ES256', typ: 'JWT', kid: issuer.key.kid });
  const claims = (changes) => JSON.stringify(issuer.claims(url, changes));
  const good = await issuer.token(url);
  const [goodHeader, goodPayload, goodSignature] = good.split('.');
  // The last character of an ES256 signature carries two bits that decode to nothing.
  const tail = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const loose = goodSignature.slice(0, -1) + tail[tail.indexOf(goodSignature.at(-1)) + 1];
  const flipped = Buffer.from(goodSignature, 'base64url');
  flipped[10] ^= 1;

  const cases = {
    'expired': [await issuer.token(url, { iat: now() - 1000, exp: now() - 100 }), 'expired'],
    'expired long ago': [await issuer.token(url, { iat: now() - 90_000, exp: now() - 80_000 }), 'expired'],
    'for another audience': [await issuer.token('https://other.example.com'), 'audience'],
    'for another app of this gate': [await issuer.token(gate.url('other')), 'audience'],
    'for the gate as a whole': [await issuer.token(gate.origin), 'audience'],
    'with an empty audience list': [await issuer.token([]), null],
    'of an unknown issuer': [await foreign.token(url), 'issuer'],
    'whose issuer has one more slash': [await issuer.token(url, { iss: `${issuer.name}/` }), 'issuer'],
    'signed by another key': [await issuer.token(url, {}, { key: { ...stranger.key, kid: issuer.key.kid } }), 'signature'],
    'with a flipped bit in its signature': [`${goodHeader}.${goodPayload}.${flipped.toString('base64url')}`, 'signature'],
    'with another payload under the signature': [`${goodHeader}.${Buffer.from(claims({ email: 'eve@example.com' })).toString('base64url')}.${goodSignature}`, 'signature'],
    'of an unknown kid': [await issuer.token(url, {}, { header: { kid: 'no-such-key' } }), 'kid'],
    'alg none': [issuer.unsecured(url), 'alg'],
    'alg none with a signature': [`${issuer.unsecured(url)}${goodSignature}`, 'alg'],
    'alg None with a signature': [`${issuer.unsecured(url, 'None')}${goodSignature}`, 'alg'],
    'HS256 with the public key as secret': [await issuer.symmetric(url), 'alg'],
    'alg of another key type': [issuer.signRaw(JSON.stringify({ alg: 'RS256', kid: issuer.key.kid }), claims()), null],
    'of another curve under the same kid': [await issuer.token(url, {}, { key: { ...(await stranger.addKey('ES384')), kid: issuer.key.kid } }), 'alg'],
    'of another curve that says it is the right one': [`${Buffer.from(JSON.stringify({ alg: 'ES256', kid: issuer.key.kid })).toString('base64url')}.${(await issuer.token(url, {}, { key: stranger.keys.at(-1) })).split('.').slice(1).join('.')}`, null],
    'not valid yet': [await issuer.token(url, { nbf: now() + 3600 }), null],
    'issued in the future': [await issuer.token(url, { iat: now() + 3600, exp: now() + 7200 }), null],
    'issued too long ago': [await issuer.token(url, { iat: now() - 40 * 60, exp: now() + 600 }), 'age'],
    'without exp': [await issuer.token(url, { exp: undefined }), null],
    'without iat': [await issuer.token(url, { iat: undefined }), null],
    'without iss': [await issuer.token(url, { iss: undefined }), null],
    'without aud': [await issuer.token(url, { aud: undefined }), null],
    'without the username claim': [await issuer.token(url, { email: undefined }), 'claim'],
    'with an empty username': [await issuer.token(url, { email: '' }), 'claim'],
    'with an unverified address': [await issuer.token(url, { email_verified: false }), 'claim'],
    'with exp as text': [issuer.signRaw(header, claims({ exp: `${now() + 600}` })), null],
    'with exp beyond numbers': [issuer.signRaw(header, claims().replace(/"exp":\d+/, '"exp":1e400')), null],
    'with an audience that is a number': [issuer.signRaw(header, claims({ aud: 7 })), null],
    'with iss twice': [issuer.signRaw(header, claims().replace('{', `{"iss":"https://foreign.example.com",`)), 'malformed'],
    'with aud twice': [issuer.signRaw(header, claims().replace('{', '{"aud":"x",')), 'malformed'],
    'with alg twice': [issuer.signRaw(header.replace('{', '{"alg":"none",'), claims()), 'malformed'],
    'with a duplicate spelled by an escape': [issuer.signRaw(header, claims().replace('{', '{"\\u0069ss":"https://foreign.example.com",')), 'malformed'],
    'with crit': [issuer.signRaw(JSON.stringify({ alg: 'ES256', kid: issuer.key.kid, crit: ['b64'], b64: false }), claims()), null],
    'with text after its header': [issuer.signRaw(`${header}x`, claims()), 'malformed'],
    'with a payload that is a list': [issuer.signRaw(header, '[]'), 'malformed'],
    'with invalid UTF-8': [issuer.signRaw(header, claims()).replace(/\.[^.]+\./, `.${Buffer.concat([Buffer.from('{"iss":"'), Buffer.from([0xff]), Buffer.from('"}')]).toString('base64url')}.`), 'malformed'],
    'with a signature not spelled canonically': [`${goodHeader}.${goodPayload}.${loose}`, null],
    'with padding': [`${goodHeader}.${goodPayload}.${goodSignature}==`, null],
    'with a cut signature': [`${goodHeader}.${goodPayload}.${goodSignature.slice(0, -4)}`, null],
    'with an empty signature': [`${goodHeader}.${goodPayload}.`, null],
    'of two parts': [`${goodHeader}.${goodPayload}`, null],
    'of four parts': [`${good}.x`, null],
    'of five parts (JWE)': [`${good}.x.y`, null],
    'that is no JWT': ['opaque', null],
    'with typ of another kind': [await issuer.token(url, {}, { header: { typ: 'oauth-id-jag+jwt' } }), null],
  };

  for (const [name, [token, counter]] of Object.entries(cases)) {
    await t.test(name, async () => {
      const before = await gate.metrics();
      const answer = await post(url, token);
      refusal(answer, url);
      assert.ok(!answer.text.includes('user-1') && !answer.text.includes('alice'), 'nothing of the token is told');
      if (counter) {
        const key = `tokens_refused_${counter}_total`;
        assert.equal((await gate.metrics())[key] - before[key], 1, key);
      }
    });
  }

  await t.test('none of them reached the app or made a session', async () => {
    assert.deepEqual(upstream.requests, []);
    assert.equal((await gate.entries('sessions')).sessions, 0);
  });
  await t.test('the good one does', async () => {
    const answer = await post(url, good);
    assert.equal(answer.status, 200);
    assert.equal(upstream.requests.length, 1);
  });
});

test('other ways to send a token do not count', async (t) => {
  const { issuer, upstream, url } = await setUp(t);
  const token = await issuer.token(url);
  const ways = {
    'query': [`${url}?access_token=${token}`, {}],
    'another scheme': [url, { authorization: `Basic ${token}` }],
    'cookie': [url, { cookie: `access_token=${token}` }],
    'empty bearer': [url, { authorization: 'Bearer' }],
    'two tokens': [url, { authorization: `Bearer ${token} ${token}` }],
    'quoted': [url, { authorization: `Bearer "${token}"` }],
  };
  for (const [name, [target, headers]] of Object.entries(ways)) {
    await t.test(name, async () => {
      const answer = await post(target, undefined, { headers });
      assert.ok([400, 401].includes(answer.status), String(answer.status));
    });
  }
  await t.test('two Authorization headers', async () => {
    const raw = await Raw.open(new URL(url).port);
    t.after(() => raw.destroy());
    await raw.write(`POST /mcp/apps/app HTTP/1.1\r\nHost: ${new URL(url).host}\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\nContent-Length: 0\r\n\r\n`);
    const { status } = await raw.response();
    assert.ok([400, 401].includes(status), String(status));
  });
  assert.equal(upstream.requests.length, 0);
  await t.test('the scheme is spelled in any case', async () => {
    assert.equal((await post(url, undefined, { headers: { authorization: `bearer ${token}` } })).status, 200);
  });
});

test('every algorithm', async (t) => {
  const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
  const issuers = await Promise.all(algorithms.map((algorithm) => Issuer.make(undefined, algorithm)));
  const configs = issuers.map((issuer, i) => authConfig(`config-${i}`, issuer, { jwt: { algorithms: [algorithms[i]] } }));
  const { url } = await setUp(t, { issuer: issuers[0], resources: { 'issuers.yaml': configs } });
  for (const [i, issuer] of issuers.entries()) {
    await t.test(algorithms[i], async () => {
      assert.equal((await post(url, await issuer.token(url))).status, 200);
    });
  }
});

test('an algorithm that the config does not allow', async (t) => {
  const { issuer, url } = await setUp(t, { config: { jwt: { algorithms: ['RS256'] } } });
  refusal(await post(url, await issuer.token(url)), url);
});

test('required claims and scopes, and another username claim', async (t) => {
  const { issuer, url, gate } = await setUp(t, {
    config: { jwt: { username_claim: 'sub', required_claims: { tenant: 'blue' }, required_scopes: ['mcp:use'] } },
  });
  const check = async (changes) => (await post(url, await issuer.token(url, { email: undefined, ...changes }))).status;
  assert.equal(await check({ tenant: 'blue', scope: 'openid mcp:use' }), 200);
  assert.equal(await check({ tenant: ['red', 'blue'], scope: 'mcp:use' }), 200);
  assert.ok([401, 403].includes(await check({ tenant: 'red', scope: 'mcp:use' })));
  assert.ok([401, 403].includes(await check({ scope: 'mcp:use' })));
  assert.equal(await check({ tenant: 'blue', scope: 'mcp:user' }), 403);
  const [, session] = (await gate.dump('sessions', 'sessions'))[0];
  assert.match(session, /user=6:user-1/);
});

test('a token that is good but for its scopes is told them all, and no other is', async (t) => {
  const { issuer, url, gate } = await setUp(t, { config: { jwt: { required_scopes: ['mcp:use', 'files:read'] } } });
  const lacking = await post(url, await issuer.token(url, { scope: 'openid files:read' }));
  assert.equal(lacking.status, 403);
  assert.equal(lacking.headers['www-authenticate'],
    'Bearer error="insufficient_scope", error_description="the token lacks a scope that is needed here", scope="mcp:use files:read", '
    + `resource_metadata="${gate.origin}/.well-known/oauth-protected-resource/mcp/apps/${url.split('/').at(-1)}"`);
  assert.equal(lacking.json.jsonrpc, '2.0');
  assert.equal(lacking.json.id, null);
  // Who cannot prove a token is not told what it would open: only what the metadata tell everybody.
  const stranger = await Issuer.make(issuer.name);
  for (const token of [await stranger.token(url, { scope: 'openid' }, { header: { kid: issuer.key.kid } }),
    await issuer.token(url, { scope: 'openid', exp: Math.floor(Date.now() / 1000) - 1000 }), issuer.unsecured(url)]) {
    const refused = await post(url, token);
    assert.equal(refused.status, 401);
    assert.match(refused.headers['www-authenticate'], /error="invalid_token"/);
    assert.doesNotMatch(refused.headers['www-authenticate'], /insufficient_scope|lacks/);
  }
  assert.equal((await gate.metrics()).sessions_created_total, 0);
});

test('a second request with the same token costs no signature and no match', async (t) => {
  const { issuer, url, gate } = await setUp(t);
  const token = await issuer.token(url);
  assert.equal((await post(url, token)).status, 200);
  const before = await gate.metrics();
  assert.equal(before.signature_checks_total, 1);
  // Many connections, so that every worker serves some.
  for (let i = 0; i < 20; i++) assert.equal((await post(url, token)).status, 200);
  const after = await gate.metrics();
  for (const counter of ['signature_checks_total', 'label_matches_total', 'config_lists_total', 'sessions_created_total']) {
    assert.equal(after[counter], before[counter], counter);
  }
  assert.equal(after.sessions_found_total - before.sessions_found_total, 20);
});

test('one connection, one token, two apps: only the first is ever served', async (t) => {
  const mine = await Upstream.start();
  const other = await Upstream.start();
  t.after(() => Promise.all([mine.stop(), other.stop()]));
  const first = await Issuer.make();
  const second = await Issuer.make();
  const gate = await Gateway.start(t, {
    resources: {
      'apps.yaml': [
        { version: 'v1', kind: 'app', metadata: { name: 'mine', labels: { team: 'one' } }, spec: { uri: mine.uri } },
        { version: 'v1', kind: 'app', metadata: { name: 'other', labels: { team: 'two' } }, spec: { uri: other.uri } },
      ],
      'configs.yaml': [
        authConfig('first', first, { labels: [{ name: 'team', values: ['one'] }], jwt: { audience: 'gate' } }),
        authConfig('second', second, { labels: [{ name: 'team', values: ['two'] }], jwt: { audience: 'gate' } }),
      ],
    },
  });
  const token = await first.token('gate');
  const message = (app) => bytes(`POST /mcp/apps/${app} HTTP/1.1`, {
    Host: `127.0.0.1:${gate.port}`, Authorization: `Bearer ${token}`, ...MCP_HEADERS, 'Content-Length': PING.length,
  }, PING);

  await t.test('alternating', async () => {
    const raw = await Raw.open(gate.port);
    for (let i = 0; i < 20; i++) {
      await raw.write(message(i % 2 ? 'other' : 'mine'));
      assert.equal((await raw.response()).status, i % 2 ? 401 : 200);
    }
    raw.destroy();
  });
  await t.test('pipelined', async () => {
    const raw = await Raw.open(gate.port);
    const apps = Array.from({ length: 40 }, (_, i) => (i % 3 === 1 ? 'other' : 'mine'));
    await raw.write(apps.map(message).join(''));
    for (const app of apps) assert.equal((await raw.response()).status, app === 'mine' ? 200 : 401);
    raw.destroy();
  });
  assert.equal(other.requests.length, 0);
  assert.equal(mine.requests.length, 10 + 27);
});

test('a key that the issuer added is fetched once for all who wait', async (t) => {
  const issuer = await Issuer.make();
  const keys = await KeyServer.start({ '/jwks.json': issuer.jwks });
  t.after(() => keys.stop());
  const { url } = await setUp(t, { issuer, config: { jwt: { jwks_url: keys.url('/jwks.json') } } });
  await waitFor('the first token to be good', async () => (await post(url, await issuer.token(url))).status === 200);
  assert.equal(keys.fetches['/jwks.json'], 1);
  await issuer.addKey('ES256');
  keys.sets['/jwks.json'] = issuer.jwks;
  const tokens = await Promise.all(Array.from({ length: 20 }, () => issuer.token(url)));
  const answers = await Promise.all(tokens.map((token) => post(url, token)));
  assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
  assert.equal(keys.fetches['/jwks.json'], 2);
  // The next one within the throttle's time is unknown, at once.
  await issuer.addKey('ES256');
  keys.sets['/jwks.json'] = issuer.jwks;
  refusal(await post(url, await issuer.token(url)), url);
  assert.equal(keys.fetches['/jwks.json'], 2);
});

test('keys survive an outage of their issuer, also over a restart', async (t) => {
  const issuer = await Issuer.make();
  const keys = await KeyServer.start({ '/jwks.json': issuer.jwks });
  t.after(() => keys.stop());
  const { gate, url } = await setUp(t, { issuer, config: { jwt: { jwks_url: keys.url('/jwks.json') } } });
  await waitFor('the first token to be good', async () => (await post(url, await issuer.token(url))).status === 200);
  keys.broken = true;
  gate.signal('SIGTERM');
  await gate.program.exited;
  await gate.run();
  assert.equal((await post(url, await issuer.token(url))).status, 200);
  await waitFor('a fetch that failed', async () => (await gate.metric('key_fetches_failed_total')) > 0);
  assert.equal((await post(url, await issuer.token(url))).status, 200);
  // Whether this kid is new nobody can say now.
  await issuer.addKey('ES256');
  const answer = await post(url, await issuer.token(url));
  assert.equal(answer.status, 503);
  assert.match(answer.headers['retry-after'], /^\d+$/);
  keys.sets['/jwks.json'] = issuer.jwks;
  keys.broken = false;
  await waitFor('the new key to be good', async () => (await post(url, await issuer.token(url))).status === 200, { deadline: 20_000, every: 200 });
});

test('without usable keys the answer is 503, not 401', async (t) => {
  const issuer = await Issuer.make();
  const keys = await KeyServer.start({});
  t.after(() => keys.stop());
  const { url } = await setUp(t, { issuer, config: { jwt: { jwks_url: keys.url('/jwks.json') } }, limits: { key_wait: '200ms' } });
  const answer = await post(url, await issuer.token(url));
  assert.equal(answer.status, 503);
  assert.match(answer.headers['retry-after'], /^\d+$/);
});

test('a bad key is skipped, not its set', async (t) => {
  const issuer = await Issuer.make();
  const weak = await Issuer.make('x', 'RS256');
  const good = issuer.jwks.keys[0];
  const set = { keys: [
    { kty: 'oct', kid: 'secret', k: 'c2VjcmV0', alg: 'HS256' },
    { ...weak.jwks.keys[0], kid: 'short', n: weak.jwks.keys[0].n.slice(0, 170) },
    { ...good, kid: 'encrypts', use: 'enc' },
    { ...good, kid: 'misfit', alg: 'RS256' },
    { ...good, kid: 'off-curve', x: good.y, y: good.x },
    { kty: 'unheard of', kid: 'odd' },
    good,
  ] };
  const { gate, url } = await setUp(t, { issuer, config: { jwt: { static_jwks: JSON.stringify(set) } } });
  assert.equal((await post(url, await issuer.token(url))).status, 200);
  assert.equal((await gate.entries('config')).keys, 1);
  for (const kid of ['encrypts', 'misfit']) {
    refusal(await post(url, await issuer.token(url, {}, { header: { kid } })), url);
  }
});

test('tokens of `gatehouse token` open the gate', async (t) => {
  const issuer = { name: 'https://minted.example.com' };
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const gate = await Gateway.prepare(t, { apps: [{ name: 'app', uri: upstream.uri }] });
  const out = join(gate.directory, 'issuer');
  assert.equal((await gatehouse('token', 'keygen', '--out', out)).status, 0);
  assert.ok(existsSync(join(out, 'key.pem')));
  issuer.jwks = JSON.parse(readFileSync(join(out, 'jwks.json'), 'utf8'));
  gate.writeResource('issuer.yaml', authConfig('issuer', issuer));
  await gate.run();
  const url = gate.url('app');
  const mint = async (...more) => (await gatehouse('token', 'mint', '--key', join(out, 'key.pem'), '--issuer', issuer.name, '--audience', url, ...more)).stdout.trim();
  assert.equal((await post(url, await mint('--claim', 'email=a@example.com', '--ttl', '10m'))).status, 200);
  assert.equal((await post(url, await mint())).status, 200, 'an address is made up');
  assert.equal((await post(url, await mint('--claim', 'email='))).status, 401);
});
