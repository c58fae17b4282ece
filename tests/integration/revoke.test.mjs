// What shuts sessions out: `gatehouse sessions revoke`, and lock documents.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { EMAIL, Issuer } from './harness/issuer.mjs';
import { Upstream } from './harness/upstream.mjs';
import { run } from './harness/process.mjs';
import { patience, waitFor } from './harness/wait.mjs';

const CONNECTIONS = 12; // over two workers: both have some
const now = () => Math.floor(Date.now() / 1000);
const rfc3339 = (seconds) => new Date(seconds * 1000).toISOString();
const sessionId = (app, token) => `jwt_${createHash('sha256').update(`${app}\0${token}`).digest('hex')}`;

// A gateway whose connections are spread over its workers, each kept alive.
class Scene {
  static async start(t, { gate } = {}) {
    const scene = new Scene();
    const upstream = await Upstream.start();
    t.after(() => upstream.stop());
    scene.issuer = await Issuer.make();
    scene.other = await Issuer.make();
    scene.gate = await Gateway.prepare(t, {
      apps: [{ name: 'app', uri: upstream.uri }, { name: 'second', uri: upstream.uri }],
      resources: { 'issuer.yaml': [authConfig('issuer', scene.issuer), authConfig('other', scene.other)] },
      gate,
    });
    chmodSync(scene.gate.directory, 0o755);
    await scene.gate.run();
    scene.agents = Array.from({ length: CONNECTIONS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    t.after(() => scene.agents.forEach((agent) => agent.destroy()));
    return scene;
  }

  // Minutes apart, so that no two tokens share an iat with a revocation of this very second.
  token({ issuer = this.issuer, app = 'app', claims = {} } = {}) {
    return issuer.token(this.gate.url(app), { iat: now() - 60, ...claims });
  }

  post(token, app = 'app', agent = false) {
    return post(this.gate.url(app), token, { agent });
  }

  // Answered so by every worker.
  async everywhere(token, status, app = 'app') {
    const answers = await Promise.all(this.agents.map((agent) => this.post(token, app, agent)));
    for (const answer of answers) assert.equal(answer.status, status, answer.text);
    return answers;
  }

  // Refused by every worker, and within a second of now.
  async refused(token, description, app = 'app') {
    const begun = performance.now();
    await Promise.all(this.agents.map((agent) => waitFor('a refusal', async () => {
      const answer = await this.post(token, app, agent);
      if (answer.status !== 401) return false;
      assert.ok(answer.headers['www-authenticate'].includes(`error="invalid_token", error_description="${description}"`),
        answer.headers['www-authenticate']);
      return true;
    }, { deadline: 5000, every: 5 })));
    assert.ok(performance.now() - begun < 1000 * patience, `${performance.now() - begun} ms`);
  }

  async accepted(token, app = 'app') {
    await Promise.all(this.agents.map((agent) =>
      waitFor('an acceptance', async () => (await this.post(token, app, agent)).status === 200)));
  }

  async revoke(...args) {
    const done = await gatehouse('sessions', 'revoke', ...args, '-c', this.gate.settingsPath);
    assert.equal(done.status, 0, done.output);
    assert.equal(done.stdout.trimEnd().split('\n').length, 1, done.stdout);
    return done.stdout;
  }

  lock(name, target, spec = {}) {
    this.gate.writeResource(`${name}.yaml`, { kind: 'lock', version: 'v2', metadata: { name }, spec: { target, ...spec } });
  }

  async killWatcher() {
    const [watcher] = this.gate.children('watcher');
    process.kill(watcher.pid, 'SIGKILL');
    await waitFor('another watcher', () => this.gate.children('watcher').some(({ pid }) => pid !== watcher.pid));
  }
}

test('revoking a session', async (t) => {
  const scene = await Scene.start(t);
  const [token, another] = [await scene.token(), await scene.token()];
  await scene.everywhere(token, 200);
  await scene.everywhere(another, 200);

  // ECDSA: (r, s) and (r, n - s) are both good signatures, and so two tokens of one content.
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const [header, payload, signature] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const twin = `${header}.${payload}.${Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]).toString('base64url')}`;

  await t.test('ends it in every worker, and no other', async () => {
    assert.match(await scene.revoke('--session', sessionId('app', token), '--reason', 'lost laptop'), /^revoked session jwt_[0-9a-f]{64} and its token: refused until 20/);
    await scene.refused(token, 'the token was revoked');
    await scene.everywhere(another, 200);
    assert.ok(await scene.gate.metric('tokens_refused_revoked_total') >= CONNECTIONS);
  });
  await t.test('refuses the other form of its signature', async () => {
    await scene.refused(twin, 'the token was revoked');
    const fresh = await scene.token();
    const parts = fresh.split('.');
    const raw = Buffer.from(parts[2], 'base64url');
    const high = order - BigInt(`0x${raw.subarray(32).toString('hex')}`);
    parts[2] = Buffer.concat([raw.subarray(0, 32), Buffer.from(high.toString(16).padStart(64, '0'), 'hex')]).toString('base64url');
    assert.equal((await scene.post(parts.join('.'))).status, 200, 'that form is good when nothing revoked it');
  });
  await t.test('is dated and explained in the store, without a token', async () => {
    const records = await scene.gate.dump('config', 'revocations');
    assert.equal(records.length, 2);
    for (const [key, value] of records) {
      assert.match(key, /^(session\/jwt_|signing_input\/)[0-9a-f]{64}\/@command$/);
      assert.match(value, /why=11:lost laptop/);
      assert.ok(!value.includes(signature));
    }
  });
  await t.test('revokes the id when the session is not there', async () => {
    const unseen = await scene.token();
    assert.match(await scene.revoke('--session', sessionId('app', unseen)), /\(the id alone\)/);
    await scene.refused(unseen, 'the token was revoked');
  });
});

test('revoking a user, a subject, a jti and an app', async (t) => {
  const scene = await Scene.start(t);
  const claims = (name) => ({ email: `${name}@example.com`, sub: name });
  const newer = () => ({ iat: now() + 1 });

  await t.test('a user of one issuer', async () => {
    const mine = await scene.token({ claims: claims('ann') });
    const unused = await scene.token({ claims: claims('ann') });
    const namesake = await scene.token({ issuer: scene.other, claims: claims('ann') });
    await scene.everywhere(mine, 200);
    await scene.everywhere(namesake, 200);
    await scene.revoke('--user', 'ann@example.com', '--issuer', scene.issuer.name);
    await scene.refused(mine, 'the token was revoked');
    await scene.refused(unused, 'the token was revoked');
    await scene.everywhere(namesake, 200);
    await scene.everywhere(await scene.token({ claims: { ...claims('ann'), ...newer() } }), 200);
  });
  await t.test('a user of any issuer', async () => {
    const both = [await scene.token({ claims: claims('bob') }), await scene.token({ issuer: scene.other, claims: claims('bob') })];
    for (const token of both) await scene.everywhere(token, 200);
    await scene.revoke('--user=bob@example.com');
    for (const token of both) await scene.refused(token, 'the token was revoked');
    await scene.everywhere(await scene.token({ claims: { ...claims('bob'), ...newer() } }), 200);
  });
  await t.test('a subject', async () => {
    const token = await scene.token({ claims: claims('cat') });
    await scene.everywhere(token, 200);
    await scene.revoke('--subject', 'cat');
    await scene.refused(token, 'the token was revoked');
  });
  await t.test('a jti, also of a token issued later', async () => {
    const token = await scene.token({ claims: { jti: 'one', ...newer() } });
    const other = await scene.token({ claims: { jti: 'two' } });
    await scene.everywhere(token, 200);
    await scene.revoke('--jti', 'one');
    await scene.refused(token, 'the token was revoked');
    await scene.everywhere(other, 200);
  });
  await t.test('an app', async () => {
    const [token, elsewhere] = [await scene.token(), await scene.token({ app: 'second' })];
    await scene.everywhere(token, 200);
    await scene.everywhere(elsewhere, 200, 'second');
    await scene.revoke('--app', 'app');
    await scene.refused(token, 'the token was revoked');
    await scene.everywhere(elsewhere, 200, 'second');
    await scene.everywhere(await scene.token({ claims: newer() }), 200);
  });
});

test('a lock', async (t) => {
  const scene = await Scene.start(t);
  const token = await scene.token();
  const newer = await scene.token({ claims: { iat: now() + 5 } });
  const elsewhere = await scene.token({ app: 'second' });

  await t.test('refuses old and new tokens until it is removed', async () => {
    await scene.everywhere(token, 200);
    scene.lock('ban', { user: EMAIL, app: 'app', issuer: scene.issuer.name }, { message: 'under investigation' });
    await scene.gate.program.says(/document_accepted: lock ban/);
    await scene.refused(token, 'access is locked');
    await scene.refused(newer, 'access is locked');
    await scene.everywhere(elsewhere, 200, 'second');
    await scene.everywhere(await scene.token({ issuer: scene.other }), 200);
  });
  await t.test('stays in force when its document is broken', async () => {
    const refusals = await scene.gate.metric('documents_refused_total');
    scene.gate.writeResource('ban.yaml', 'kind: lock\nversion: v2\nmetadata: {name: ban}\nspec: {target: {usr: x}}\n');
    await waitFor('the refusal', async () => (await scene.gate.metric('documents_refused_total')) > refusals);
    await scene.everywhere(token, 401);
    assert.match(scene.gate.log, /did you mean "user"/);
  });
  await t.test('is taken back with its document, over a restart of the watcher', async () => {
    await scene.killWatcher();
    await scene.everywhere(token, 401);
    scene.gate.removeResource('ban.yaml');
    await scene.accepted(token);
    await scene.accepted(newer);
    assert.deepEqual(await scene.gate.dump('config', 'revocations'), []);
  });
  await t.test('does not take back what a command revoked, nor another lock', async () => {
    const gone = await scene.token();
    await scene.revoke('--session', sessionId('app', gone));
    scene.lock('one', { user: EMAIL });
    scene.lock('two', { user: EMAIL });
    await scene.gate.program.says(/document_accepted: lock two/);
    await scene.refused(token, 'access is locked');
    scene.gate.removeResource('one.yaml');
    await scene.gate.program.says(/document_removed: lock one/);
    await scene.everywhere(token, 401);
    scene.gate.removeResource('two.yaml');
    await scene.accepted(token);
    await scene.everywhere(gone, 401);
  });
  await t.test('ends when it expires, and its record goes', async () => {
    const before = (await scene.gate.dump('config', 'revocations')).length;
    scene.lock('short', { subject: 'user-1' }, { expires: rfc3339(now() + 3) });
    await scene.gate.program.says(/document_accepted: lock short/);
    await scene.refused(token, 'access is locked');
    await scene.accepted(token);
    await waitFor('the sweep', async () => (await scene.gate.dump('config', 'revocations')).length === before);
    scene.lock('past', { app: 'app' }, { expires: rfc3339(now() - 10) });
    await scene.gate.program.says(/document_accepted: lock past/);
    await scene.everywhere(token, 200);
  });
});

test('a revocation is durable', async (t) => {
  const scene = await Scene.start(t);
  const tokens = [];
  for (let i = 0; i < 4; i++) tokens.push(await scene.token());
  for (const token of tokens) await scene.everywhere(token, 200);

  await t.test('when the watcher is killed as soon as the command returned', async () => {
    for (const token of tokens.slice(0, 3)) {
      await waitFor('a watcher that listens', async () =>
        (await gatehouse('sessions', 'revoke', '--session', sessionId('app', token), '-c', scene.gate.settingsPath)).status === 0);
      await scene.killWatcher();
      await scene.refused(token, 'the token was revoked');
    }
    await scene.everywhere(tokens[3], 200);
  });
  await t.test('over a restart of the service', async () => {
    await scene.gate.stop();
    await scene.gate.run();
    for (const token of tokens.slice(0, 3)) assert.equal((await scene.post(token)).status, 401);
    assert.equal((await scene.post(tokens[3])).status, 200);
  });
  await t.test('and nothing is said to be revoked without a watcher', async () => {
    await scene.gate.stop();
    const answer = await gatehouse('sessions', 'revoke', '--user', EMAIL, '-c', scene.gate.settingsPath);
    assert.equal(answer.status, 69, answer.output);
    assert.match(answer.output, /the watcher is not there/);
    assert.equal(answer.stdout, '');
  });
});

const root = process.getuid() === 0;
test('root revokes where the roles have users of their own', { skip: root ? false : 'only root can drop users' }, async (t) => {
  const scene = await Scene.start(t, { gate: { users: { watcher: 'daemon', worker: 'nobody' } } });
  const token = await scene.token();
  await scene.everywhere(token, 200);
  const socket = statSync(join(scene.gate.directory, 'state/config/control'));
  assert.equal(String(socket.uid), (await run('id', ['-u', 'daemon'])).stdout.trim());
  assert.equal(socket.mode & 0o777, 0o600);
  assert.match(await scene.revoke('--session', sessionId('app', token)), /and its token/);
  await scene.refused(token, 'the token was revoked');
});

test('the command and its socket', async (t) => {
  const scene = await Scene.start(t);
  const socket = statSync(join(scene.gate.directory, 'state/config/control'));
  assert.ok(socket.isSocket());
  assert.equal(socket.mode & 0o777, 0o600);

  const wrong = [
    [],
    ['--user', 'a', '--app', 'b'],
    ['--app', 'a', '--issuer', 'https://i'],
    ['--session', 'jwt_12'],
    ['--user', ''],
    ['--user', 'a\nb'],
    ['--user', 'a'.repeat(300)],
    ['--usr', 'a'],
    ['--user', 'a', '--user', 'b'],
  ];
  for (const args of wrong) {
    const answer = await gatehouse('sessions', 'revoke', ...args, '-c', scene.gate.settingsPath);
    assert.equal(answer.status, 64, `${args}: ${answer.output}`);
    assert.notEqual(answer.output, '');
  }
  assert.equal((await gatehouse('sessions', 'revoke', '--user', 'a')).status, 64);
  assert.equal((await gatehouse('sessions', 'revoke', '--user', 'a', '-c', '/nonexistent.yaml')).status, 78);
  assert.deepEqual(await scene.gate.dump('config', 'revocations'), []);
});
