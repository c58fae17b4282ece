// What processes may do once they are READY.

import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Program, run } from './harness/process.mjs';
import { Upstream } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const ROOT = process.getuid() === 0;
const NOT_ROOT = ROOT ? false : 'a process that is not dumpable is traced by root only';

async function setUp(t, options = {}) {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.prepare(t, {
    apps: [{ name: 'app', uri: upstream.uri }, { name: 'named', uri: `mcp+http://localhost:${upstream.port}/mcp` }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    tls: true,
    ...options,
  });
  return { upstream, issuer, gate };
}

test('a serving worker opens no path, runs nothing and resolves no name', { skip: NOT_ROOT }, async (t) => {
  const { gate, issuer } = await setUp(t, { workers: 1 });
  await gate.run();
  const [worker] = gate.children('worker');
  const strace = new Program('strace', ['-f', '-p', String(worker.pid), '-e', 'signal=none',
    '-e', 'trace=open,openat,openat2,creat,execve,execveat,fork,vfork,clone,clone3,socket,connect,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,stat,newfstatat,readlink,readlinkat,access,faccessat,faccessat2,ptrace,setuid']);
  t.after(() => strace.stop());
  await strace.says(/attached/);

  for (const app of ['app', 'named']) {
    for (let i = 0; i < 5; i++) {
      const token = await issuer.token(gate.url(app), { sub: `user-${i}` });
      assert.equal((await post(gate.url(app), token)).status, 200);
      assert.equal((await post(gate.tlsUrl(app), token, { ca: gate.certificate.pem, servername: 'gate.example.com' })).status, 200);
      assert.equal((await post(gate.url(app), `${token}x`)).status, 401);
    }
  }
  // Also what it does when documents and certificates change.
  const published = await gate.metric('published_total');
  gate.writeResource('app.yaml', { version: 'v1', kind: 'app', metadata: { name: 'more' }, spec: { uri: 'mcp+http://127.0.0.1:9/mcp' } });
  await waitFor('the change', async () => (await gate.metric('published_total')) > published);
  assert.equal((await post(gate.url('more'), await issuer.token(gate.url('more')))).status, 502);
  gate.signal('SIGHUP');
  await waitFor('the reload', async () => (await gate.metric('published_total')) > published && /reload/i.test(gate.log));
  assert.equal((await post(gate.tlsUrl('app'), await issuer.token(gate.url('app')), { ca: gate.certificate.pem, servername: 'gate.example.com' })).status, 200);

  strace.kill('SIGINT');
  await strace.exited;
  const calls = strace.output.split('\n').filter((line) => /\(/.test(line) && !/^strace:/.test(line));
  const connects = calls.filter((line) => /\bconnect\(/.test(line));
  assert.ok(connects.length > 0, 'the trace saw the upstream connections');
  for (const line of calls) {
    if (/\bsocket\(AF_INET6?, SOCK_STREAM/.test(line)) continue;
    if (/\bconnect\(\d+, \{sa_family=AF_INET6?, sin6?_port=htons\((?!53\))\d+\)/.test(line)) continue;
    // fstat by another name: a descriptor and no path.
    if (/newfstatat\(\d+, "", /.test(line)) continue;
    assert.fail(`a worker did: ${line}`);
  }
});

test('children have no new privileges, and are not dumpable', async (t) => {
  const { gate } = await setUp(t);
  await gate.run();
  const roles = new Set();
  for (const { pid, role } of gate.children()) {
    roles.add(role);
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^NoNewPrivs:\s+1$/m, role);
    if (!ROOT) assert.throws(() => readFileSync(`/proc/${pid}/environ`), /EACCES/, role);
  }
  assert.deepEqual([...roles].sort(), ['bridge', 'janitor', 'watcher', 'worker']);
});

test('started as root, each role runs as its user', { skip: ROOT ? false : 'only root can drop users' }, async (t) => {
  const { gate, issuer } = await setUp(t, { gate: { users: { watcher: 'daemon', worker: 'nobody', bridge: 'bin' } } });
  chmodSync(gate.directory, 0o755);
  await gate.run();
  const id = async (user, flag = '-u') => (await run('id', [flag, user])).stdout.trim();
  const users = { worker: 'nobody', janitor: 'nobody', watcher: 'daemon', bridge: 'bin' };
  for (const { pid, role } of gate.children()) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const uid = await id(users[role]);
    assert.match(status, new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, 'm'), role);
    assert.match(status, /^CapEff:\s+0+$/m, role);
    assert.match(status, /^CapPrm:\s+0+$/m, role);
  }
  const token = await issuer.token(gate.url('app'));
  assert.equal((await post(gate.url('app'), token)).status, 200);
  assert.equal((await gate.entries('sessions')).sessions, 1);
  // A worker can read what the watcher wrote, but not write it.
  const data = `${gate.directory}/state/config/data.mdb`;
  const asWorker = (...command) => run('setpriv', ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', ...command]);
  assert.notEqual((await asWorker('dd', 'if=/dev/null', `of=${data}`, 'conv=notrunc')).status, 0);
  // Workers alone reach the bridge, and nobody can put another socket in its place.
  const socket = `${gate.directory}/state/bridge/socket`;
  const connects = (user, group) => run('setpriv', ['--reuid', user, '--regid', group, '--clear-groups', process.execPath, '-e',
    `require('net').connect(${JSON.stringify(socket)}, () => process.exit(0)).on('error', () => process.exit(1))`]);
  assert.equal((await connects('nobody', 'nogroup')).status, 0);
  assert.equal((await connects('daemon', 'daemon')).status, 1);
  assert.notEqual((await asWorker('rm', '-f', socket)).status, 0);
});
