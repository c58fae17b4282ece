// What becomes of the two environments when disks fill, pages rot, and lock files lie.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Program, alive, run } from './harness/process.mjs';
import { LockFile, assertSound, damage } from './harness/state.mjs';
import { Upstream } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

async function prepare(t, options = {}) {

  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.prepare(t, {
    apps: [{ name: 'app', uri: upstream.uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    ...options,
  });
  return { upstream, issuer, gate, url: gate.url('app') };
}

async function setUp(t, options) {
  const made = await prepare(t, options);
  await made.gate.run();
  return made;
}

const appDocument = (name, uri) => ({ version: 'v1', kind: 'app', metadata: { name }, spec: { uri } });

// The status of a request, or the code of its failure.
const status = (url, token) => post(url, token).then((answer) => answer.status, (error) => error.code ?? error.message);

const moved = (gate) => readdirSync(join(gate.directory, 'state')).filter((name) => name.includes('.bad-'));

async function servedAgain(url, token) {
  const began = performance.now();
  await waitFor('service', async () => (await status(url, token)) === 200);
  return performance.now() - began;
}

// Gives the gateway a small disk for its state, in a mount namespace that a process holds. The path
// of a file there, or undefined where one may not mount.
async function smallDisk(t, gate, size) {
  const state = join(gate.directory, 'state');
  mkdirSync(state);
  const holder = new Program('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs -o size=$0 tmpfs $1 && echo mounted && exec sleep 600', size, state]);
  t.after(() => holder.stop());
  await waitFor('the mount', () => /mounted/.test(holder.stdout) || holder.ended);
  if (holder.ended) return undefined;
  gate.wrapper = ['nsenter', '--mount', '--target', String(holder.pid)];
  return join('/proc', String(holder.pid), 'root', state, 'fill');
}

function fill(path) {
  for (const size of [1 << 16, 4096]) {
    for (let i = 0; ; i++) {
      try {
        writeFileSync(`${path}.${size}`, Buffer.alloc(size, 1), { flag: 'a' });
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
        break;
      }
    }
  }
}

function empty(path) {
  for (const size of [1 << 16, 4096]) rmSync(`${path}.${size}`);
}

test('a full disk: old sessions go on, new ones and changes wait, nothing dies', async (t) => {
  const { gate, issuer, url, upstream } = await prepare(t);
  const disk = await smallDisk(t, gate, '4m');
  if (!disk) {
    t.skip('this user may not mount');
    return;
  }
  await gate.run();
  const old = await issuer.token(url, { sub: 'old' });
  assert.equal((await post(url, old)).status, 200);
  const pids = gate.children().map(({ pid }) => pid).sort();

  fill(disk);
  let refused;
  for (let i = 0; !refused && i < 2000; i++) {
    const answer = await post(url, await issuer.token(url, { sub: `new-${i}` }));
    if (answer.status !== 200) refused = answer;
  }
  assert.equal(refused?.status, 503);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  assert.ok((await gate.metrics()).store_full_total >= 1);
  assert.equal((await post(url, old)).status, 200);

  // Larger than what LMDB may still have free in its file.
  const many = Array.from({ length: 2000 }, (_, i) => appDocument(`late-${i}`, upstream.uri));
  gate.writeResource('late.yaml', ...many);
  await waitFor('the watcher to say so', () => /config_store_full/.test(gate.log));
  const late = await issuer.token(gate.url('late-1999'));
  assert.equal((await post(gate.url('late-1999'), late)).status, 401);
  assert.equal((await post(url, old)).status, 200);
  assert.deepEqual(gate.children().map(({ pid }) => pid).sort(), pids);

  // Not even a restart needs room.
  gate.program.kill('SIGTERM');
  assert.deepEqual(await gate.program.exited, { status: 0, signal: null });
  await gate.run();
  assert.equal((await post(url, old)).status, 200);
  assert.equal(await gate.metric('signature_checks_total'), 0);

  empty(disk);
  await waitFor('room for sessions', async () => (await status(url, await issuer.token(url, { sub: 'newer' }))) === 200);
  await waitFor('the change', async () => (await status(gate.url('late-1999'), late)) === 200);
});

test('a full map: old sessions go on, and room is made for new ones', async (t) => {
  const { gate, issuer, url } = await setUp(t, { gate: { store: { session_map_size: '16MiB' } } });
  const old = await issuer.token(url, { sub: 'old', exp: Math.floor(Date.now() / 1000) + 1500 });
  assert.equal((await post(url, old)).status, 200);
  // A session keeps its token's audiences: these fill the least map that there is soon.
  const aud = [url, ...Array.from({ length: 15 }, (_, i) => `https://${i}.example.com/`.padEnd(256, 'x'))];
  let refused;
  for (let i = 0; !refused && i < 200; i++) {
    const tokens = await Promise.all(Array.from({ length: 16 }, (_, j) => issuer.token(aud, { email: `${i}-${j}@example.com` })));
    const answers = await Promise.all(tokens.map((token) => post(url, token)));
    refused = answers.find((answer) => answer.status !== 200);
  }
  assert.equal(refused?.status, 503);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  const before = await gate.metric('signature_checks_total');
  assert.equal((await post(url, old)).status, 200);
  assert.equal(await gate.metric('signature_checks_total'), before);
  await waitFor('room again', async () => (await status(url, await issuer.token(url, { sub: 'newer' }))) === 200);
  assert.ok((await gate.metric('store_full_total')) >= 1);
  // One session may find room where a batch did not: the janitor comes within a second all the same.
  await waitFor('the janitor to make room', async () => (await gate.metric('sessions_expired_total')) > 0);
  assert.equal((await post(url, old)).status, 200);
  await assertSound(gate);
});

for (const environment of ['sessions', 'config']) {
  test(`damaged pages in ${environment}: moved aside, made anew, the other kept`, async (t) => {
    const { gate, issuer, url } = await setUp(t);
    const token = await issuer.token(url);
    assert.equal((await post(url, token)).status, 200);
    const directories = () => readdirSync(join(gate.directory, 'state'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();
    assert.deepEqual(directories(), ['bridge', 'config', 'sessions']);

    damage(gate, environment);
    if (environment === 'config') gate.writeResource('more.yaml', appDocument('more', 'mcp+http://127.0.0.1:9/mcp'));
    else await status(url, token);
    await waitFor('the damage to be seen', () => moved(gate).length > 0);
    t.diagnostic(`served again ${(await servedAgain(url, token)).toFixed(0)} ms later`);

    assert.deepEqual(moved(gate).map((name) => name.split('.')[0]), [environment]);
    await gate.logged(/exit status 70/);
    assert.equal(gate.log.match(/CANNOT BE USED/g).length, 1);
    const ids = await assertSound(gate);
    assert.equal(ids.size, 1);
    if (environment === 'config') await waitFor('the change', async () => 'more' in Object.fromEntries(await gate.dump('config', 'apps')));
    assert.equal((await post(url, await issuer.token(url, { sub: 'new' }))).status, 200);
  });
}

// Makes an environment one of schema 9; what schema was it?
async function forge(gate, environment) {
  const schema = async () => /schema=1:(\d)/.exec((await gate.dump(environment, 'meta')).find(([key]) => key === 'schema')[1])[1];
  const was = await schema();
  const made = await run('sh', ['-c', 'mdb_dump -s meta "$0" | sed "/736368656d61/,+1s/$(printf schema=1:$1 | xxd -p)/$(printf schema=1:9 | xxd -p)/" | mdb_load -s meta "$0"', join(gate.directory, 'state', environment), was]);
  assert.equal(made.status, 0, made.output);
  assert.equal(await schema(), '9');
  return was;
}

test('environments of another schema are moved aside at the start, with a loud line each', async (t) => {
  const { gate, issuer, url } = await setUp(t);
  const token = await issuer.token(url);
  assert.equal((await post(url, token)).status, 200);
  gate.program.kill('SIGTERM');
  await gate.program.exited;
  assert.equal(await forge(gate, 'config'), '1');
  assert.equal(await forge(gate, 'sessions'), '2');
  await gate.run();
  assert.deepEqual(moved(gate).map((name) => name.split('.')[0]).sort(), ['config', 'sessions']);
  await gate.logged(/THE CONFIG ENVIRONMENT CANNOT BE USED/);
  await gate.logged(/THE SESSIONS ENVIRONMENT CANNOT BE USED/);
  assert.equal((await post(url, token)).status, 200);
});

test('sessions of another schema take no revocation with them', async (t) => {
  const { gate, issuer, url } = await setUp(t);
  const token = await issuer.token(url, { sub: 'gone' });
  assert.equal((await post(url, token)).status, 200);
  const revoked = await gatehouse('sessions', 'revoke', '--app', 'app', '-c', gate.settingsPath);
  assert.equal(revoked.status, 0, revoked.output);
  gate.program.kill('SIGTERM');
  await gate.program.exited;
  await forge(gate, 'sessions');
  await gate.run();
  assert.deepEqual(moved(gate).map((name) => name.split('.')[0]), ['sessions']);
  assert.equal((await post(url, token)).status, 401);
});

test('a snapshot that is turned back brings no withdrawn key back', async (t) => {
  const { gate, issuer, url } = await setUp(t);
  const [kept] = issuer.keys;
  const withdrawn = await issuer.addKey('ES256', 'withdrawn');
  const publish = (...keys) => gate.writeResource('issuer.yaml', authConfig('issuer', { name: issuer.name, jwks: { keys: keys.map(({ jwk }) => jwk) } }));
  const good = await issuer.token(url, { sub: 'good' }, { key: kept });
  const lock = new LockFile(gate, 'config');
  // What else the worker that was taken over may bring about.
  for (const role of [undefined, 'watcher', 'worker', 'janitor']) {
    const bad = await Promise.all(Array.from({ length: 8 }, (_, i) => issuer.token(url, { sub: `bad-${i}` }, { key: withdrawn })));
    publish(kept, withdrawn);
    await waitFor('the second key', async () => (await status(url, bad[0])) === 200);
    publish(kept);
    await waitFor('its end', async () => (await status(url, bad[0])) === 401);

    const last = await lock.turnBack();
    for (const { pid } of role ? gate.children(role) : []) process.kill(pid, 'SIGKILL');
    const seen = new Set();
    const healed = async () => (await lock.find()).last >= last;
    await waitFor('a new lock file', async () => {
      for (const token of bad) seen.add(await status(url, token));
      return healed();
    });
    await servedAgain(url, good);
    for (const token of bad) seen.add((await post(url, token)).status);
    t.diagnostic(`${role ?? 'nothing'} killed: ${[...seen]}`);
    assert.ok(!seen.has(200) && seen.has(401));
  }
  assert.deepEqual(moved(gate), []);
  await gate.logged(/store_refused/);
});

test('a snapshot that is turned back revives no revoked session', async (t) => {
  const { gate, issuer, url } = await setUp(t);
  const good = await issuer.token(url, { email: 'good@example.com' });
  assert.equal((await post(url, good)).status, 200);
  const lock = new LockFile(gate, 'config');
  for (const role of [undefined, 'watcher', 'worker']) {
    const token = await issuer.token(url);
    assert.equal((await post(url, token)).status, 200);
    const id = `jwt_${createHash('sha256').update(`app\0${token}`).digest('hex')}`;
    const { status: done, output } = await gatehouse('sessions', 'revoke', '--session', id, '-c', gate.settingsPath);
    assert.equal(done, 0, output);

    const last = await lock.turnBack();
    for (const { pid } of role ? gate.children(role) : []) process.kill(pid, 'SIGKILL');
    const seen = new Set();
    const end = performance.now() + 500;
    while (performance.now() < end) seen.add(await status(url, token));
    await waitFor('a new lock file', async () => (await lock.find()).last >= last);
    await servedAgain(url, good);
    seen.add((await post(url, token)).status);
    t.diagnostic(`${role ?? 'nothing'} killed: ${[...seen]}`);
    assert.ok(!seen.has(200) && seen.has(401));
  }
  assert.deepEqual(moved(gate), []);
});

test('a mutex that is never given back stops changes only until the watchdog sees it', async (t) => {
  const { gate, issuer, url } = await setUp(t, { limits: { watchdog: '2s' } });
  const token = await issuer.token(url);
  assert.equal((await post(url, token)).status, 200);
  new LockFile(gate, 'config').holdWriter(process.pid);
  gate.writeResource('more.yaml', appDocument('more', 'mcp+http://127.0.0.1:9/mcp'));
  await waitFor('the change', async () => (await gate.dump('config', 'apps')).some(([key]) => key === 'more'), { deadline: 30_000, every: 200 });
  await servedAgain(url, token);
  assert.deepEqual(moved(gate), []);
  assert.equal(await gate.metric('signature_checks_total'), 1);
});

test('kill -9 of all at once: the sessions of before need no signature check', async (t) => {
  const { gate, issuer, url } = await setUp(t);
  const tokens = await Promise.all(Array.from({ length: 50 }, (_, i) => issuer.token(url, { sub: `user-${i}` })));
  for (const answer of await Promise.all(tokens.map((token) => post(url, token)))) assert.equal(answer.status, 200);
  const children = gate.children();
  for (const { pid } of [{ pid: gate.pid }, ...children]) process.kill(pid, 'SIGKILL');
  await gate.program.exited;
  await waitFor('all to be gone', () => children.every(({ pid }) => !alive(pid)));
  await gate.run();
  for (const answer of await Promise.all(tokens.map((token) => post(url, token)))) assert.equal(answer.status, 200);
  const metrics = await gate.metrics();
  assert.equal(metrics.signature_checks_total, 0);
  assert.equal(metrics.sessions_found_total, 50);
  assert.equal((await assertSound(gate)).size, 50);
});
