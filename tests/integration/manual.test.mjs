// The pages that `make install` installs: what gatehouse.yaml(5) shows is accepted, and groff has
// nothing to say. (tests/unit/conf/test_manual_page.c: that the page names every key.)

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GATEHOUSE, makeCertificate, temporaryDirectory } from './harness/gateway.mjs';
import { run } from './harness/process.mjs';

const ROOT = process.getuid() === 0;
const PAGES = ['master/gatehouse.8', 'master/gatehouse.yaml.5'];

// What stands between .EX and .EE, as a reader would copy it.
function examples(page) {
  const characters = { '-': '-', '(ha': '^', '(ti': '~' };
  return [...readFileSync(page, 'utf8').matchAll(/^\.EX\n([\s\S]*?)^\.EE$/gm)].map(([, text]) =>
    text.replace(/\\(-|\(..|.)/g, (escape, name) => characters[name] ?? assert.fail(`${page}: ${escape}`)));
}

test('gatehouse check accepts the examples of gatehouse.yaml(5), without a warning', async (t) => {
  const directory = temporaryDirectory();
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [settings, ...documents] = examples('master/gatehouse.yaml.5');
  assert.match(settings, /^kind: gatehouse$/m);
  assert.ok(documents.length >= 3);

  // What the page supposes to be there: a certificate, a program, and users.
  await makeCertificate(join(directory, 'tls'), 'gate.example.com', 'gate');
  const program = join(directory, 'files-mcp');
  writeFileSync(program, '#!/bin/sh\n');
  chmodSync(program, 0o755);
  const users = { 'gatehouse-conf': 'daemon', gatehouse: 'nobody', 'mcp-tools': ROOT ? 'games' : userInfo().username };
  const local = settings
    .replace('command: /usr/local/bin/files-mcp', `command: ${program}`)
    .replace(/(?<=(?:watcher|worker|run_as_host_user): |users: \[)[a-z-]+/g, (name) => users[name]);
  assert.notEqual(local, settings);

  mkdirSync(join(directory, 'resources.d'));
  writeFileSync(join(directory, 'gatehouse.yaml'), local);
  documents.forEach((text, index) => writeFileSync(join(directory, 'resources.d', `${index}.yaml`), text));
  const checked = await run(GATEHOUSE, ['check', '-c', join(directory, 'gatehouse.yaml')]);
  assert.equal(checked.status, 0, checked.output);
  assert.doesNotMatch(checked.output, /warning/);

  // It is these files that were looked at.
  writeFileSync(join(directory, 'resources.d', '0.yaml'), documents[0].replace('issuer:', 'isuer:'));
  const refused = await run(GATEHOUSE, ['check', '-c', join(directory, 'gatehouse.yaml')]);
  assert.equal(refused.status, 78, refused.output);
  assert.match(refused.output, /0\.yaml:\d+:\d+: spec\.jwt\.isuer: unknown key; did you mean "issuer"\?/);
});

test('gatehouse(8) names every command', async () => {
  const { stdout } = await run(GATEHOUSE, ['--help']);
  const page = readFileSync('master/gatehouse.8', 'utf8').replaceAll('\\-', '-');
  const commands = [...stdout.matchAll(/gatehouse ([a-z|-]+)(?: ([a-z]+(?:\|[a-z]+)+))?/g)]
    .flatMap(([, names, more]) => names.split('|').flatMap((name) => (more ?? '').split('|').map((word) => `${name} ${word}`.trim())))
    .filter((name) => !name.startsWith('-'));
  assert.ok(commands.includes('run') && commands.includes('configs') && commands.includes('sessions revoke') && commands.includes('connect'), `${commands}`);
  const [synopsis] = /^\.SH SYNOPSIS\n[\s\S]*?(?=^\.SH DESC)/m.exec(page);
  for (const name of commands)
    assert.match(synopsis, new RegExp(`\\b${name}\\b`), name);
});

for (const page of PAGES)
  test(`groff warns of nothing in ${page}`, async () => {
    const { status, output } = await run('groff', ['-t', '-man', '-ww', '-z', '-Tutf8', page]);
    assert.equal(status, 0, output);
    assert.equal(output, '');
  });
