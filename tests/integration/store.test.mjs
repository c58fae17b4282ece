// What operators see of the store with lmdb-utils while the gateway runs.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { PING, post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Upstream } from './harness/upstream.mjs';

async function setUp(t) {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }, { name: 'second', uri: upstream.uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    gate: { log: { output: 'stderr', format: 'text', level: 'debug' } },
  });
  return { upstream, issuer, gate };
}

function everyFile(directory) {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.path, entry.name));
}

test('the store after ten sessions', async (t) => {
  const { upstream, issuer, gate } = await setUp(t);
  const url = gate.url('app');
  const tokens = [];
  for (let i = 0; i < 10; i++) {
    const token = await issuer.token(url, { sub: `user-${i}`, email: `user-${i}@example.com` });
    tokens.push(token);
    assert.equal((await post(url, token)).status, 200);
    assert.equal((await post(url, token)).status, 200);
  }

  await t.test('config holds the databases and what was published', async () => {
    const { 'Main DB': main, ...entries } = await gate.entries('config');
    assert.deepEqual(Object.keys(entries).sort(),
      ['app_auth_configs', 'apps', 'bindings', 'hosts', 'keys', 'meta', 'policies', 'revocations', 'status']);
    assert.equal(main, 9);
    assert.equal(entries.apps, 2);
    assert.equal(entries.app_auth_configs, 1);
    assert.equal(entries.bindings, 2);
    assert.equal(entries.keys, 1);
    assert.ok(entries.status >= 1);
    assert.ok(entries.meta >= 1);
  });
  await t.test('sessions holds ten of each', async () => {
    const entries = await gate.entries('sessions');
    assert.equal(entries.sessions, 10);
    assert.equal(entries.sessions_by_user, 10);
    assert.equal(entries.sessions_by_id, 10);
    assert.ok('mcp_sessions' in entries && 'mcp_tasks' in entries && 'meta' in entries);
  });
  await t.test('a dump reads as a report', async () => {
    const sessions = await gate.dump('sessions', 'sessions');
    const ids = tokens.map((token) => `jwt_${createHash('sha256').update(`app\0${token}`).digest('hex')}`);
    assert.deepEqual(sessions.map(([key]) => key.slice(34)).sort(), ids.sort());
    for (const [key] of sessions) assert.match(key, /^[0-9a-f]{16}\/[0-9a-f]{16}\/jwt_[0-9a-f]{64}$/);
    for (const [, value] of sessions) {
      assert.match(value, /^1( [a-z_0-9]+=\d+:|[\x20-\x7e])+$/);
      for (const field of ['app=3:app', 'config=6:issuer', `issuer=${issuer.name.length}:${issuer.name}`, 'algorithm=5:ES256', 'kid=5:key-1']) {
        assert.ok(value.includes(` ${field} `), field);
      }
      assert.match(value, / user=18:user-\d@example\.com /);
    }
    const digest = createHash('sha256').update(issuer.name).digest('hex');
    assert.deepEqual((await gate.dump('config', 'bindings')).map(([key]) => key), [`app/${digest}`, `second/${digest}`]);
    const byUser = await gate.dump('sessions', 'sessions_by_user');
    for (const [key] of byUser) assert.match(key, new RegExp(`^${digest.slice(0, 16)}/user-\\d@example\\.com/[0-9a-f]{16}/jwt_[0-9a-f]{16}$`));
    const byId = await gate.dump('sessions', 'sessions_by_id');
    assert.deepEqual(byId.map(([key]) => key).sort(), ids.map((id) => id.slice(0, 20)).sort());
    for (const [, place] of byId) assert.ok(sessions.some(([key]) => key.startsWith(`${place}/`)), place);
    assert.deepEqual((await gate.dump('config', 'apps')).map(([key]) => key), ['app', 'second']);
  });
  await t.test('no token, signature or signed payload is in the store or in the log', async () => {
    const haystacks = [Buffer.from(gate.log), ...everyFile(join(gate.directory, 'state')).map((file) => readFileSync(file))];
    for (const token of tokens) {
      for (const part of token.split('.').slice(1)) {
        for (const haystack of haystacks) assert.equal(haystack.indexOf(part), -1);
      }
    }
    for (const { headers } of upstream.requests) assert.equal(headers.authorization, undefined);
  });
  await t.test('only the group reads config, and nobody else anything', () => {
    const mode = (...parts) => statSync(join(gate.directory, 'state', ...parts)).mode & 0o777;
    assert.equal(mode('config') & 0o007, 0);
    assert.equal(mode('config', 'data.mdb'), 0o640);
    assert.equal(mode('sessions') & 0o007, 0);
    assert.equal(mode('sessions', 'data.mdb') & 0o077, 0);
  });
});

test('sessions and keys survive a restart', async (t) => {
  const { issuer, gate } = await setUp(t);
  const url = gate.url('app');
  const token = await issuer.token(url);
  assert.equal((await post(url, token, { body: PING })).status, 200);
  gate.program.kill('SIGTERM');
  assert.deepEqual(await gate.program.exited, { status: 0, signal: null });
  await gate.run();
  assert.equal((await post(url, token)).status, 200);
  const metrics = await gate.metrics();
  assert.equal(metrics.signature_checks_total, 0);
  assert.equal(metrics.sessions_found_total, 1);
});
