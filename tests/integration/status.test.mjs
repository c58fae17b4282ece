// What the commands that read the store show: of a running gateway, and of one that is gone.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GATEHOUSE, Gateway, authConfig, gatehouse, temporaryDirectory } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { run } from './harness/process.mjs';
import { Upstream } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const CONTROLS = /[\x00-\x09\x0b-\x1f\x7f]/;

async function setUp(t) {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri, labels: { team: 'blue' } }, { name: 'second', uri: upstream.uri }],
    resources: { 'issuer.yaml': [authConfig('corp', issuer)], 'wrong.yaml': ['version: v1\nkind: app\nmetadata: {name: wrong}\nspec: {uri: gopher://x}\n'] },
  });
  return { upstream, issuer, gate };
}

// Runs a command on the gateway's settings, and keeps what it said.
function commands(gate) {
  const said = [];
  const command = async (...args) => {
    const result = await gatehouse(...args, '-c', gate.settingsPath);
    said.push(result.output);
    return result;
  };
  const json = async (...args) => {
    const result = await command(...args, '--json');
    assert.equal(result.status, 0, result.output);
    return JSON.parse(result.stdout);
  };
  return { command, json, said };
}

async function sessions(issuer, url, count) {
  const tokens = [];
  for (let i = 0; i < count; i++) {
    const token = await issuer.token(url, { sub: `user-${i}`, email: `user-${i}@example.com` });
    assert.equal((await post(url, token)).status, 200);
    tokens.push(token);
  }
  return tokens;
}

const id = (app, token) => `jwt_${createHash('sha256').update(`${app}\0${token}`).digest('hex')}`;

test('a running gateway', async (t) => {
  const { issuer, gate } = await setUp(t);
  const { command, json, said } = commands(gate);
  const tokens = [...await sessions(issuer, gate.url('app'), 3), ...await sessions(issuer, gate.url('second'), 1)];
  const ids = [...tokens.slice(0, 3).map((token) => id('app', token)), id('second', tokens[3])];
  const files = readdirSync(join(gate.directory, 'state'), { recursive: true }).sort();

  await t.test('status: processes, documents, key sets, stores', async () => {
    const status = await json('status');
    assert.equal(status.running, true);
    assert.equal(status.pid, gate.pid);
    assert.equal(status.state_dir, join(gate.directory, 'state'));
    assert.ok(status.generation > 1.7e12);
    assert.ok(Date.now() - Date.parse(status.written) < 600_000);
    assert.equal(status.schema, 1);
    assert.match(status.lmdb, /^0\.9\.\d+$/);
    const roles = status.processes.map(({ role }) => role).sort();
    assert.deepEqual(roles, ['bridge', 'janitor', 'master', 'watcher', 'worker', 'worker']);
    assert.deepEqual(status.processes.filter(({ role }) => role === 'worker').map(({ pid }) => pid).sort(),
      gate.children('worker').map(({ pid }) => pid).sort());
    for (const process of status.processes) {
      assert.equal(process.ready, true);
      assert.ok(process.heartbeat_age_ms === null ? process.role === 'master' : process.heartbeat_age_ms < 5000);
    }
    assert.equal(status.counters.sessions_created_total, 4);
    const wrong = status.documents.find(({ name }) => name === 'wrong');
    assert.equal(wrong.state, 'refused');
    assert.equal(wrong.in_force, false);
    assert.match(wrong.file, /wrong\.yaml$/);
    assert.equal(wrong.line, 4);
    assert.match(wrong.reason, /uri/);
    assert.equal(status.documents.find(({ kind, name }) => kind === 'app_auth_config' && name === 'corp').state, 'accepted');
    assert.deepEqual(status.key_sets.map(({ config, static: fixed, usable, keys }) => ({ config, fixed, usable, keys })),
      [{ config: 'corp', fixed: true, usable: true, keys: 1 }]);
    assert.equal(status.stores.sessions.entries.sessions, 4);
    assert.equal(status.stores.config.entries.apps, 2);
    assert.ok(status.stores.config.used > 0 && status.stores.config.used < status.stores.config.map_size);
  });
  await t.test('status in words', async () => {
    const { status, stdout } = await command('status');
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(`^Gatehouse runs from .* as process ${gate.pid}$`, 'm'));
    assert.match(stdout, /^worker 1 +\d+ +\S+ +ready +\d+ ms ago$/m);
    assert.match(stdout, /^Documents: \d+ accepted, 1 refused$/m);
    assert.match(stdout, /^app\/wrong +REFUSED +nothing +.*wrong\.yaml:4:\d+: .*uri/m);
    assert.match(stdout, /^corp +good .* static$/m);
    assert.match(stdout, /^sessions +\d+[BKMG] .* sessions 4,/m);
  });
  await t.test('sessions list: newest first, filtered, limited, short ids', async () => {
    const all = await json('sessions', 'list');
    assert.equal(all.matched, 4);
    assert.deepEqual(all.sessions.map((session) => session.id).sort(), [...ids].sort());
    const one = await json('sessions', 'list', '--user', 'user-0@example.com', '--app', 'app');
    assert.deepEqual(one.sessions.map((session) => session.id), [ids[0]]);
    const limited = await json('sessions', 'list', '--limit', '2');
    assert.equal(limited.matched, 4);
    assert.equal(limited.sessions.length, 2);
    const { stdout } = await command('sessions', 'list');
    for (const whole of ids) {
      assert.ok(stdout.includes(whole.slice(0, 12)));
      assert.ok(!stdout.includes(whole.slice(0, 13)));
    }
    assert.match(stdout, /^ID +USER +ISSUER +APP +CREATED +EXPIRES +CLIENT\n/);
    assert.match(stdout, /user-2@example\.com +\S+ +app +\d+s ago +in \d+[smh] +127\.0\.0\.1$/m);
    const wide = await command('sessions', 'list', '--wide');
    for (const whole of ids) assert.ok(wide.stdout.includes(whole));
  });
  await t.test('sessions show: by a prefix, every field', async () => {
    const shown = await json('sessions', 'show', ids[0].slice(4, 12));
    assert.equal(shown.id, ids[0]);
    assert.equal(shown.user, 'user-0@example.com');
    assert.equal(shown.subject, 'user-0');
    assert.equal(shown.issuer, issuer.name);
    assert.equal(shown.config, 'corp');
    assert.equal(shown.kid, 'key-1');
    assert.deepEqual(shown.audiences, [gate.url('app')]);
    assert.equal(shown.signing_input_sha256, createHash('sha256').update(tokens[0].split('.').slice(0, 2).join('.')).digest('hex'));
    const { stdout } = await command('sessions', 'show', ids[0]);
    assert.match(stdout, /^expires +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \(in \d+[smh]\)$/m);
    const none = await command('sessions', 'show', '00000000');
    assert.equal(none.status, 1);
    assert.match(none.output, /no session/);
    for (const wrong of ['1234567', 'jwt_', 'xyzxyzxyz', `${ids[0]}00`]) assert.equal((await command('sessions', 'show', wrong)).status, 64);
  });
  await t.test('apps and configs', async () => {
    const { apps } = await json('apps');
    const app = apps.find(({ name }) => name === 'app');
    assert.deepEqual(app.bindings, [{ config: 'corp', issuer: issuer.name, audiences: [gate.url('app')] }]);
    assert.deepEqual(app.endpoints[0].addresses, ['127.0.0.1']);
    assert.ok(app.labels.some(({ name, value }) => name === 'team' && value === 'blue'));
    assert.match((await command('apps')).stdout, /^app +mcp\+http +http:\/\/127\.0\.0\.1:\d+\/\S* \[127\.0\.0\.1\] +- +corp \(/m);
    const { configs } = await json('configs');
    assert.equal(configs.length, 1);
    assert.equal(configs[0].issuer, issuer.name);
    assert.match(configs[0].revision, /^[0-9a-f]+$/);
    assert.deepEqual(configs[0].bindings.map(({ app }) => app), ['app', 'second']);
    assert.equal(configs[0].keys[0].kid, 'key-1');
    assert.match((await command('configs')).stdout, /^corp .* 1 +static +2$/m);
    assert.ok((await command('configs', '--wide')).stdout.includes(`second: ${gate.url('second')}`));
  });
  await t.test('a name that turns the direction of text is shown escaped', async () => {
    const url = gate.url('app');
    const token = await issuer.token(url, { sub: 'evil', email: 'evil\u202e@example.com' });
    assert.equal((await post(url, token)).status, 200);
    tokens.push(token);
    const { stdout } = await command('sessions', 'list');
    assert.match(stdout, /evil\\xe2\\x80\\xae@example\.com/);
  });
  await t.test('a second gateway on the same state is refused', async () => {
    const second = await gatehouse('run', '-c', gate.settingsPath);
    assert.notEqual(second.status, 0);
    assert.match(second.output, /in use by another gatehouse/);
  });
  await t.test('no token, no control character, no new file, and the gateway serves on', async () => {
    for (const text of said) {
      assert.doesNotMatch(text, CONTROLS);
      for (const token of tokens) for (const part of token.split('.').slice(1)) assert.equal(text.indexOf(part), -1);
    }
    assert.deepEqual(readdirSync(join(gate.directory, 'state'), { recursive: true }).sort(), files);
    assert.equal((await post(gate.url('app'), tokens[0])).status, 200);
    assert.equal((await json('status')).counters.respawns_total, 0);
  });
});

test('a gateway that was killed', async (t) => {
  const { issuer, gate } = await setUp(t);
  const { command, json } = commands(gate);
  const [token] = await sessions(issuer, gate.url('app'), 1);
  const children = gate.children();
  gate.program.kill('SIGKILL');
  await gate.program.exited;
  await waitFor('the children to end', () => children.every(({ pid }) => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  }), { deadline: 5000 });
  const status = await json('status');
  assert.equal(status.running, false);
  assert.equal(status.pid, null);
  assert.equal(status.processes, null);
  assert.equal(status.stores.sessions.entries.sessions, 1);
  assert.match((await command('status')).stdout, /^Gatehouse does not run from /);
  assert.deepEqual((await json('sessions', 'list')).sessions.map((session) => session.id), [id('app', token)]);
  assert.equal((await json('apps')).apps.length, 2);
  const byDirectory = await gatehouse('configs', '--state', join(gate.directory, 'state'), '--json');
  assert.equal(JSON.parse(byDirectory.stdout).configs[0].name, 'corp');
  await gate.run();
  assert.equal((await post(gate.url('app'), token)).status, 200);
});

test('what cannot be shown is said', async (t) => {
  const directory = temporaryDirectory();
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const args of [['status'], ['sessions', 'list'], ['apps'], ['configs']]) {
    const result = await gatehouse(...args, '--state', directory);
    assert.equal(result.status, 66, args.join(' '));
    assert.match(result.output, /no store at .*: no gateway ran from there/);
  }
  assert.deepEqual(readdirSync(directory), []);
  assert.equal((await gatehouse('apps', '-c', join(directory, 'none.yaml'))).status, 78);
  for (const args of [['apps', 'x'], ['apps', '--user', 'x'], ['sessions'], ['sessions', 'list', '--limit', '0'], ['status', '--jsno']]) {
    const result = await gatehouse(...args, '--state', directory);
    assert.equal(result.status, 64, args.join(' '));
  }
  assert.equal((await gatehouse('status', '--help')).status, 0);
});

test('users', { skip: process.getuid() !== 0 && 'only root can become another user' }, async (t) => {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.prepare(t, {
    apps: [{ name: 'app', uri: upstream.uri }],
    resources: { 'issuer.yaml': [authConfig('corp', issuer)] },
    gate: { users: { watcher: 'daemon', worker: 'nobody' } },
  });
  chmodSync(gate.directory, 0o755);
  await gate.run();
  await sessions(issuer, gate.url('app'), 1);
  const { command, json } = commands(gate);
  const state = join(gate.directory, 'state');
  const as = (user, ...args) => run('setpriv', [`--reuid=${user}`, '--regid=nogroup', '--clear-groups', GATEHOUSE, ...args, '--state', state]);

  await t.test('root sees all, and who runs as whom', async () => {
    const status = await json('status');
    assert.equal(status.users_separated, true);
    const users = Object.fromEntries(status.processes.map(({ role, user }) => [role, user]));
    assert.deepEqual(users, { master: 'root', watcher: 'daemon', janitor: 'nobody', bridge: 'nobody', worker: 'nobody' });
    assert.equal(status.stores.sessions.entries.sessions, 1);
    assert.match((await command('status')).stdout, /^Users: separated/m);
  });
  await t.test('the workers\' user reads the stores, and may not look at master', async () => {
    const { stdout, status } = await as('nobody', 'status', '--json');
    assert.equal(status, 0);
    const shown = JSON.parse(stdout);
    assert.equal(shown.running, null);
    assert.equal(shown.processes, null);
    assert.equal(shown.stores.sessions.entries.sessions, 1);
    assert.equal((await as('nobody', 'sessions', 'list')).status, 0);
  });
  await t.test('another user is told whom to be', async () => {
    const list = await as('games', 'sessions', 'list');
    assert.equal(list.status, 77, list.output);
    assert.match(list.output, /sessions may not be read by this user: run it as nobody or root/);
    assert.equal(list.stdout, '');
  });
});
