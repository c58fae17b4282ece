// What becomes of stdio servers: nothing of them is left, whoever dies; and who may not be started.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GATEHOUSE, Gateway, authConfig } from './harness/gateway.mjs';
import { MCP_HEADERS, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { childrenOf, processOf, run } from './harness/process.mjs';
import { patience, waitFor } from './harness/wait.mjs';

const ROOT = process.getuid() === 0;
const user = ROOT ? { run_as_host_user: 'nobody' } : {};
const LEFT = 10_000; // milliseconds after which nothing of a server may be left

// A child that outlives all but the strictest end: of another session, deaf to SIGTERM.
const ORPHAN = `setsid sh -c 'trap "" TERM; while :; do sleep 1; done' & `;

// The processes, of any namespace, with this word in their environment.
function marked(mark) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((name) => {
    try {
      return readFileSync(`/proc/${name}/environ`, 'latin1').includes(mark) && processOf(Number(name)) !== undefined;
    } catch {
      return false;
    }
  });
}

// The demo server, started by a shell after `before`.
function demo(name, mark, { before = '', mcp = {} } = {}) {
  return { name, mcp: { command: '/bin/sh', args: ['-c', `${before} exec ${GATEHOUSE} demo-server --stdio`], env: { GATEHOUSE_TEST: mark }, ...user, ...mcp } };
}

async function setUp(t, { apps = [], stdio = {}, users = {}, resources = {}, start = true, ...more } = {}) {
  const issuer = await Issuer.make();
  const gate = await Gateway.prepare(t, {
    apps,
    gate: { stdio: { ...(ROOT ? { users: ['nobody'] } : {}), ...stdio }, ...users },
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)], ...resources },
    workers: 1,
    ...more,
  });
  chmodSync(gate.directory, 0o755); // roles and servers may be other users
  if (start) await gate.run();
  return { gate, issuer };
}

const INITIALIZE = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } } });

async function openSession(gate, issuer, app) {
  const url = gate.url(app);
  const token = await issuer.token(url);
  const answer = await post(url, token, { body: INITIALIZE });
  assert.equal(answer.status, 200, `${answer.text}\n${gate.log}`);
  const headers = { ...MCP_HEADERS, authorization: `Bearer ${token}`, 'mcp-session-id': answer.headers['mcp-session-id'], 'mcp-protocol-version': '2025-11-25' };
  const send = (message) => request(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
  assert.equal((await send({ method: 'notifications/initialized' })).status, 202);
  return {
    echo: async (message) => (await send({ id: 1, method: 'tools/call', params: { name: 'echo', arguments: { message } } })),
    close: () => request(url, { method: 'DELETE', headers }),
  };
}

const guardians = (gate) => gate.children('launcher').flatMap(({ pid }) => childrenOf(pid));

// One end of a server with an orphan: what is done, and that nothing is left in time.
const ends = {
  'its session is closed': async ({ session }) => assert.equal((await session.close()).status, 204),
  'the bridge is killed': ({ gate }) => process.kill(gate.children('bridge')[0].pid, 'SIGKILL'),
  'the launcher is killed': ({ gate }) => process.kill(gate.children('launcher')[0].pid, 'SIGKILL'),
  'its guardian is killed': ({ gate }) => process.kill(guardians(gate)[0].pid, 'SIGKILL'),
  'master is killed': ({ gate }) => process.kill(gate.pid, 'SIGKILL'),
  'all of them are killed, the guardian last': ({ gate }) => {
    const pids = [gate.pid, gate.children('bridge')[0].pid, gate.children('launcher')[0].pid, guardians(gate)[0].pid];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  },
  'the gateway is stopped': ({ gate }) => gate.stop(),
};

for (const [what, end] of Object.entries(ends)) {
  test(`nothing is left of a server when ${what}`, async (t) => {
    const mark = randomUUID();
    const { gate, issuer } = await setUp(t, { apps: [demo('one', mark, { before: ORPHAN })] });
    const session = await openSession(gate, issuer, 'one');
    assert.equal((await session.echo('here')).status, 200);
    await waitFor('server and orphan', () => marked(mark).length >= 2);
    const begun = performance.now();
    await end({ gate, session });
    await waitFor('nothing to be left', () => marked(mark).length === 0, { deadline: LEFT });
    t.diagnostic(`after ${(performance.now() - begun).toFixed(0)} ms`);
    if (what === 'the launcher is killed' || what === 'its guardian is killed') {
      // What comes next is served by a new one.
      await waitFor('another server', async () => (await post(gate.url('one'), await issuer.token(gate.url('one')), { body: INITIALIZE })).status === 200);
    }
  });
}

test('a client that went away leaves its server until it has idled long enough', async (t) => {
  const mark = randomUUID();
  const { gate, issuer } = await setUp(t, { apps: [demo('one', mark, { before: ORPHAN })], stdio: { idle_timeout: '1s' } });
  await openSession(gate, issuer, 'one');
  await waitFor('nothing to be left', () => marked(mark).length === 0, { deadline: LEFT });
});

test("a worker's death leaves servers alone", async (t) => {
  const mark = randomUUID();
  const { gate, issuer } = await setUp(t, { apps: [demo('one', mark)] });
  const session = await openSession(gate, issuer, 'one');
  const before = marked(mark);
  process.kill(gate.children('worker')[0].pid, 'SIGKILL');
  await gate.ready();
  assert.equal((await session.echo('still here')).status, 200);
  assert.deepEqual(marked(mark), before);
});

test('200 servers at once, and one too many', async (t) => {
  const mark = randomUUID();
  const { gate, issuer } = await setUp(t, { apps: [demo('many', mark)], stdio: { max_servers: 200, max_servers_per_app: 1000 } });
  const sessions = [];
  while (sessions.length < 200) sessions.push(...await Promise.all(Array.from({ length: 20 }, () => openSession(gate, issuer, 'many'))));
  assert.equal(marked(mark).length, 200);
  assert.equal(guardians(gate).length, 200);
  const more = await post(gate.url('many'), await issuer.token(gate.url('many')), { body: INITIALIZE });
  assert.equal(more.status, 503);
  const answers = await Promise.all(sessions.map((session, i) => session.echo(`number ${i}`)));
  answers.forEach(({ text }, i) => assert.match(text, new RegExp(`"number ${i}"`)));
  await Promise.all(sessions.map((session) => session.close()));
  await waitFor('nothing to be left', () => marked(mark).length === 0 && guardians(gate).length === 0, { deadline: LEFT * patience });
});

const document = (mcp) => ({ version: 'v1', kind: 'app', metadata: { name: 'one' }, spec: { mcp } });

test('a document that others can write starts nothing', async (t) => {
  const mark = randomUUID();
  const { mcp } = demo('one', mark);
  const { gate, issuer } = await setUp(t, { resources: { 'one.yaml': [document(mcp)] }, start: false });
  const path = join(gate.directory, 'resources.d', 'one.yaml');
  const refused = async (reason) => {
    const check = await gate.check();
    assert.equal(check.status, 78, check.output);
    assert.match(check.output, new RegExp(`one\\.yaml:\\d+:\\d+: mcp\\.command: ${reason}`));
  };
  assert.equal((await gate.check()).status, 0);
  chmodSync(path, 0o664);
  await refused('is in a file that others than its owner can write');
  chmodSync(path, 0o644);
  chmodSync(join(gate.directory, 'resources.d'), 0o777);
  await refused('is in a directory that others can write');
  chmodSync(join(gate.directory, 'resources.d'), 0o755);
  if (ROOT) {
    chownSync(path, 65534, 65534);
    await refused("is in a file that is not root's");
    chownSync(path, 0, 0);
  }
  assert.equal((await gate.check()).status, 0);

  // A gateway goes on without it, says so, and takes it once it is safe.
  chmodSync(path, 0o646);
  await gate.run();
  await gate.logged(/stdio_refused: \S+one\.yaml:\d+:\d+: mcp\.command: is in a file that others/);
  const token = await issuer.token(gate.url('one'));
  const answer = await post(gate.url('one'), token, { body: INITIALIZE });
  assert.equal(answer.status, 503, answer.text);
  assert.equal(marked(mark).length, 0);
  chmodSync(path, 0o644);
  gate.signal('SIGHUP');
  await waitFor('the server', async () => (await post(gate.url('one'), token, { body: INITIALIZE })).status === 200);
  assert.ok(marked(mark).length > 0);
});

test('a changed command takes effect at a reload, and not before', async (t) => {
  const marks = [randomUUID(), randomUUID()];
  const { gate, issuer } = await setUp(t, { resources: { 'one.yaml': [document(demo('one', marks[0]).mcp)] } });
  const token = await issuer.token(gate.url('one'));
  assert.equal((await post(gate.url('one'), token, { body: INITIALIZE })).status, 200);
  gate.writeResource('one.yaml', document(demo('one', marks[1]).mcp));
  await waitFor('a refusal', async () => (await post(gate.url('one'), token, { body: INITIALIZE })).status === 503);
  await gate.logged(/document_accepted: app one: \S+one\.yaml:\d+:\d+; its command takes effect at a start or reload/);
  assert.equal(marked(marks[1]).length, 0);
  gate.signal('SIGHUP');
  await waitFor('the new command', async () => (await post(gate.url('one'), token, { body: INITIALIZE })).status === 200);
  assert.ok(marked(marks[1]).length > 0);
});

// One way to break a file each, and what the log and `check` are to say of it.
const BROKEN = [
  ['a file that is not YAML any more', (text) => text.replace('spec:', 'spec: ['), /one\.yaml:\d+:\d+: /],
  ['a document that is refused', (text) => text.replace('/bin/sh', 'bin/sh'), /one\.yaml:\d+:\d+: spec\.mcp\.command: must be an absolute path/],
  ['a file that is too large', (text) => `${text}#${'.'.repeat(16 << 20)}\n`, /one\.yaml: is larger than 16 MiB/],
];

const reloads = (gate) => gate.log.split('reloaded: every process was given the settings').length - 1;

async function reload(gate) {
  const before = reloads(gate);
  gate.signal('SIGHUP');
  await waitFor('the reload', () => reloads(gate) > before);
}

// A gateway with a session of the stdio server of one.yaml, a text of that file, and how it is now.
async function setUpOne(t, resources = {}, users = {}) {
  const marks = [randomUUID(), randomUUID()];
  const { gate, issuer } = await setUp(t, { resources: { 'one.yaml': [document(demo('one', marks[0]).mcp)], ...resources }, users });
  const path = join(gate.directory, 'resources.d', 'one.yaml');
  const session = await openSession(gate, issuer, 'one');
  assert.equal((await session.echo('before')).status, 200);
  const token = await issuer.token(gate.url('one'));
  const start = async () => (await post(gate.url('one'), token, { body: INITIALIZE })).status;
  return { gate, issuer, path, marks, session, start, text: readFileSync(path, 'utf8') };
}

for (const [what, breakIt, said] of BROKEN) {
  test(`${what} keeps its running servers through a reload, until it is mended`, async (t) => {
    const { gate, path, marks, session, start, text } = await setUpOne(t);
    const before = marked(marks[0]);
    const broken = breakIt(text);
    assert.notEqual(broken, text);
    writeFileSync(path, broken);
    for (const time of ['first', 'second']) {
      await reload(gate);
      const lines = gate.log.split('\n').filter((line) => /stdio_kept: /.test(line));
      assert.equal(lines.length, time === 'first' ? 1 : 2, gate.log);
      assert.match(lines[0], said);
      assert.match(lines[0], /the stdio server "one" stays as it was; mend it, then reload/);
      assert.equal((await session.echo('still here')).status, 200);
      assert.deepEqual(marked(marks[0]), before);
    }
    assert.equal(await start(), 200);
    const check = await gate.check();
    assert.equal(check.status, 78, check.output);
    assert.match(check.output, said);

    // What it says once it is mended is in force after the next reload.
    writeFileSync(path, text.replace(marks[0], marks[1]));
    await reload(gate);
    await waitFor('the new command', async () => await start() === 200 && marked(marks[1]).length > 0);
  });
}

// The watcher's user, when there is one, can look at them and not read them.
for (const [what, change, said] of [
  ['a file', (path) => chmodSync(path, ROOT ? 0o600 : 0o200), /one\.yaml: cannot be read: Permission denied/],
  ['a directory', (path) => chmodSync(join(path, '..'), 0o311), /one\.yaml: cannot be read: Permission denied/],
]) {
  test(`${what} that cannot be read any more keeps its running servers through a reload`, async (t) => {
    const { gate, path, marks, session, start } = await setUpOne(t, {}, ROOT ? { users: { watcher: 'daemon', worker: 'bin', bridge: 'games' } } : {});
    const before = marked(marks[0]);
    change(path);
    try {
      await reload(gate);
      assert.match(gate.log.split('\n').find((line) => /stdio_kept: /.test(line)) ?? gate.log, said);
      assert.equal((await session.echo('still here')).status, 200);
      assert.deepEqual(marked(marks[0]), before);
      assert.equal(await start(), 200);
    } finally {
      chmodSync(join(path, '..'), 0o755);
    }
  });
}

test('a second document of its name, with another command, leaves a server as it was', async (t) => {
  const { gate, path, marks, session, start } = await setUpOne(t);
  // Read before the first.
  writeFileSync(join(path, '..', 'first.yaml'), readFileSync(path, 'utf8').replace(marks[0], marks[1]));
  await reload(gate);
  await gate.logged(/stdio_refused: \S+one\.yaml:\d+:\d+: name: the stdio server "one" is also in \S+first\.yaml:1/);
  await gate.logged(/stdio_kept: \S+one\.yaml:\d+:\d+: the stdio server "one" stays as it was/);
  assert.equal((await session.echo('still here')).status, 200);
  assert.equal(await start(), 200);
  assert.equal(marked(marks[1]).length, 0);
});

const LOST = {
  'others can write now': ({ path }) => chmodSync(path, 0o646),
  ...(ROOT ? { 'is not root\'s any more': ({ path }) => chownSync(path, 65534, 65534) } : {}),
  ...(ROOT ? { 'names a user who may run nothing any more': ({ gate }) => {
    gate.settings.gate.stdio.users = ['daemon'];
    gate.writeSettings();
  } } : {}),
  'is gone': ({ gate }) => gate.removeResource('one.yaml'),
  'is in a directory that others can write now': ({ path }) => chmodSync(join(path, '..'), 0o777),
};

for (const [what, change] of Object.entries(LOST)) {
  test(`a broken file that ${what} keeps no command`, async (t) => {
    const { gate, path, marks, start } = await setUpOne(t);
    writeFileSync(path, 'kind: [\n');
    change({ gate, path });
    await reload(gate);
    assert.doesNotMatch(gate.log, /stdio_kept/);
    await waitFor('nothing to be left', () => marked(marks[0]).length === 0, { deadline: LEFT * patience });
    assert.notEqual(await start(), 200);
    assert.equal(marked(marks[0]).length, 0);
  });
}

test('a gateway that is started with a broken file refuses its app, and runs the others', async (t) => {
  const mark = randomUUID();
  const other = { ...document(demo('two', mark).mcp), metadata: { name: 'two' } };
  const { gate, issuer, path, marks, start } = await setUpOne(t, { 'two.yaml': [other] });
  await gate.stop();
  writeFileSync(path, 'kind: [\n');
  await gate.run();
  await gate.logged(/one\.yaml:\d+:\d+: /);
  assert.equal(await start(), 503);
  assert.equal(marked(marks[0]).length, 0);
  assert.equal((await (await openSession(gate, issuer, 'two')).echo('here')).status, 200);
  assert.ok(marked(mark).length > 0);
});

test('a command that others can write starts nothing, also when it changes later', async (t) => {
  const mark = randomUUID();
  const { gate, issuer } = await setUp(t, { start: false });
  const directory = join(gate.directory, 'bin');
  const program = join(directory, 'server');
  mkdirSync(directory);
  copyFileSync(GATEHOUSE, program);
  gate.settings.app_service.apps = [{ name: 'one', mcp: { command: program, args: ['demo-server', '--stdio'], env: { GATEHOUSE_TEST: mark }, ...user } }];
  gate.writeSettings();
  chmodSync(program, 0o777);
  const check = await gate.check();
  assert.equal(check.status, 78);
  assert.match(check.output, /gatehouse\.yaml:\d+:\d+: mcp\.command: \S+ can be written by others than its owner/);
  chmodSync(program, 0o755);
  await gate.run();
  const token = await issuer.token(gate.url('one'));
  assert.equal((await post(gate.url('one'), token, { body: INITIALIZE })).status, 200);
  chmodSync(program, 0o777);
  const before = marked(mark).length;
  const answer = await post(gate.url('one'), token, { body: INITIALIZE });
  assert.ok(answer.status >= 500, `${answer.status} ${answer.text}`);
  await waitFor('a word in the log', () => /server_refused: one: Operation not permitted/.test(gate.log));
  assert.equal(marked(mark).length, before);
});

test('as root, servers run as users of gate.stdio.users alone', { skip: ROOT ? false : 'only root can change users' }, async (t) => {
  const { gate } = await setUp(t, { start: false });
  const refused = async (mcp, stdio, pattern) => {
    gate.settings.gate.stdio = stdio;
    gate.settings.app_service.apps = [{ name: 'one', mcp: { command: '/bin/cat', ...mcp } }];
    gate.writeSettings();
    const check = await gate.check();
    assert.equal(check.status, 78, check.output);
    assert.match(check.output, pattern);
    const served = await run(GATEHOUSE, ['run', '-c', gate.settingsPath]);
    assert.equal(served.status, 78, served.output);
    assert.match(served.output, pattern);
  };
  await refused({}, { users: ['nobody'] }, /mcp\.run_as_host_user: is required: a service that root started runs no server as root/);
  await refused({ run_as_host_user: 'daemon' }, { users: ['nobody'] }, /mcp\.run_as_host_user: is not one of gate\.stdio\.users/);
  await refused({ run_as_host_user: 'root' }, { users: ['nobody'] }, /mcp\.run_as_host_user: is not one of gate\.stdio\.users/);
  await refused({ run_as_host_user: 'root' }, { users: ['root'] }, /gate\.stdio\.users: the service must not run as root/);
  await refused({ run_as_host_user: 'nobody' }, {}, /mcp\.run_as_host_user: is not one of gate\.stdio\.users/);
});

test('a server is what its document says, and gets nothing else', async (t) => {
  const mark = randomUUID();
  const { gate, issuer } = await setUp(t, { start: false, env: { SECRET_OF_OURS: 'x', TZ: 'Europe/Zurich' } });
  const program = join(gate.directory, 'look.sh');
  // Says on standard error, which is in the log, what it finds.
  writeFileSync(program, ['#!/bin/sh', 'env | sort | sed "s/^/env /" >&2', 'fd=0; while [ $fd -lt 64 ]; do if [ -e /proc/$$/fd/$fd ]; then echo "fd $fd"; fi; fd=$((fd + 1)); done >&2',
    'echo "files $(ulimit -n) cores $(ulimit -c) cpu $(ulimit -t) id $(id -u) groups $(id -G) in $(pwd) args $*" >&2',
    `exec ${GATEHOUSE} demo-server --stdio`, ''].join('\n'), { mode: 0o755 });
  gate.settings.app_service.apps = [{ name: 'one', mcp: { command: program, args: ['a b', '$HOME'], env: { GIVEN: 'c d', GATEHOUSE_TEST: mark },
    working_dir: '/usr', limits: { open_files: 99, cpu_time: '60s' }, ...user } }];
  gate.writeSettings();
  await gate.run();
  assert.equal((await (await openSession(gate, issuer, 'one')).echo('x')).status, 200);
  const id = ROOT ? (await run('id', ['-u', 'nobody'])).stdout.trim() : String(process.getuid());
  await waitFor('its words', () => / args /.test(gate.log));
  const said = gate.log.split('\n').filter((line) => /server_stderr/.test(line)).join('\n');
  const words = (kind) => [...said.matchAll(new RegExp(`\\b${kind} (\\S+)`, 'g'))].map(([, word]) => word);
  assert.deepEqual(words('env').map((variable) => variable.split('=')[0]).filter((name) => !['PWD', '_', 'SHLVL', 'OLDPWD'].includes(name)),
    ['GATEHOUSE_TEST', 'GIVEN', 'HOME', 'LANG', 'PATH', 'TZ']);
  assert.deepEqual(words('fd').filter((number) => Number(number) < 10), ['0', '1', '2']); // the shell puts its own from 10 on
  assert.match(said, new RegExp(`files 99 cores 0 cpu 60 id ${id} groups .* in /usr args a b \\$HOME`));
});
