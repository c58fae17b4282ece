// `make install` and `make demo`.

import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { GATEHOUSE, temporaryDirectory } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Program, alive, childrenOf, run } from './harness/process.mjs';
import { waitFor } from './harness/wait.mjs';

test('make install', async (t) => {
  const destination = temporaryDirectory();
  t.after(() => rmSync(destination, { recursive: true, force: true }));
  const made = await run('make', ['-s', 'install', `BUILD=${dirname(GATEHOUSE)}`, `DESTDIR=${destination}`, 'PREFIX=/usr'], { env: { MAKEFLAGS: '' } });
  assert.equal(made.status, 0, made.output);
  const file = (path) => statSync(join(destination, 'usr', path));
  assert.equal(file('bin/gatehouse').mode & 0o777, 0o755);
  assert.ok(file('share/man/man8/gatehouse.8').size > 0);
  assert.ok(file('share/man/man5/gatehouse.yaml.5').size > 0);
  assert.ok(file('share/doc/gatehouse/examples').isDirectory());
  const unit = readFileSync(join(destination, 'usr/lib/systemd/system/gatehouse.service'), 'utf8');
  assert.match(unit, /^ExecStart=\/usr\/bin\/gatehouse run -c /m);
});

test('make demo', async (t) => {
  const scratch = temporaryDirectory();
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const demo = new Program('tests/demo/demo.sh', [GATEHOUSE], { name: 'demo', env: { TMPDIR: scratch } });
  t.after(() => demo.stop());
  await demo.says(/Ctrl-C ends it/, 60_000);
  assert.match(demo.output, /^< HTTP\/1\.1 401 /m);
  assert.match(demo.output, /hello through the gate/);
  const [, url] = /^URL: +(\S+)$/m.exec(demo.output);
  const [, token] = /^token: +(\S+)$/m.exec(demo.output);
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } } });
  assert.equal((await post(url, token, { body })).status, 200);

  await t.test('its commands work when pasted', async () => {
    const commands = demo.output.slice(demo.output.indexOf('Paste in'));
    const curl = await run('bash', ['-c', /^curl [\s\S]*?(?=\n\n)/m.exec(commands)[0]]);
    assert.match(curl.stdout, /"5"|\b5\b/);
    const stat = await run('bash', ['-c', /^mdb_stat .*$/m.exec(commands)[0]]);
    assert.equal(stat.status, 0, stat.output);
    assert.match(stat.stdout, /Status of sessions\n[\s\S]*Entries: 1/);
  });
  await t.test('it stops its children, and leaves nothing', async () => {
    const family = childrenOf(demo.pid).flatMap(({ pid }) => [pid, ...childrenOf(pid).map((child) => child.pid)]);
    assert.ok(family.length >= 4);
    demo.kill('SIGTERM');
    await demo.exited;
    await waitFor('all to end', () => family.every((pid) => !alive(pid)));
    assert.equal((await run('ls', [scratch])).stdout, '');
  });
});
