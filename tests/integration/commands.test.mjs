// The command line: check, token, and what it says when it is used wrongly.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { gatehouse, makeCertificate, temporaryDirectory } from './harness/gateway.mjs';

function scratch(t) {
  const directory = temporaryDirectory();
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const SETTINGS = `version: v1
kind: gatehouse
gate:
  public_addr: https://gate.example.com
  listen:
  - address: 127.0.0.1:8080
  state_dir: state
  resources_dir: resources.d
`;

// Runs check on these texts.
async function check(t, settings, resources = {}) {
  const directory = scratch(t);
  mkdirSync(join(directory, 'resources.d'));
  writeFileSync(join(directory, 'gatehouse.yaml'), settings);
  for (const [file, text] of Object.entries(resources)) writeFileSync(join(directory, 'resources.d', file), text);
  return gatehouse('check', '-c', join(directory, 'gatehouse.yaml'));
}

const APP_SERVICE = `app_service:
  enabled: true
  debug_app: true
  apps:
  - name: mcp-everything
    uri: mcp+http://localhost:3001/mcp
`;

const AUTH_CONFIG = `version: v1
kind: app_auth_config
metadata:
  name: example
spec:
  app_labels:
  - name: teleport.internal/app-sub-kind
    values: [mcp]
  jwt:
    issuer: cluster-name
    audience: 127.0.0.1:64703
    jwks_url: https://issuer/.well-known/jwks.json
`;

test('check', async (t) => {
  await t.test('the two snippets of the proposal, word for word', async (t) => {
    const result = await check(t, SETTINGS + APP_SERVICE, { 'example.yaml': AUTH_CONFIG });
    assert.equal(result.status, 0, result.output);
  });
  await t.test('every error of a run, each with its place', async (t) => {
    const result = await check(t, `${SETTINGS.replace('state_dir', 'sate_dir')}  workers: many\n${APP_SERVICE}`, {
      'a.yaml': AUTH_CONFIG.replace('issuer: cluster-name', 'isuer: cluster-name'),
      'b.yaml': 'version: v1\nkind: app\nmetadata: {name: x}\nspec: {uri: gopher://x}\n',
      'c.yaml': 'a: [\n',
    });
    assert.equal(result.status, 78);
    assert.match(result.output, /gatehouse\.yaml:7:3: gate\.sate_dir: .*state_dir/);
    assert.match(result.output, /gatehouse\.yaml:9:12: gate\.workers: /);
    assert.match(result.output, /a\.yaml:10:5: spec\.jwt\.isuer: .*issuer/);
    assert.match(result.output, /b\.yaml:4:\d+: spec\.uri: /);
    assert.match(result.output, /c\.yaml:\d+:\d+: /);
  });
  await t.test('a duplicate key', async (t) => {
    const result = await check(t, `${SETTINGS}  workers: 1\n  workers: 2\n`);
    assert.equal(result.status, 78);
    assert.match(result.output, /gatehouse\.yaml:10:3: /);
  });
  await t.test('two documents of one name, naming both places', async (t) => {
    const result = await check(t, SETTINGS + APP_SERVICE, { 'a.yaml': AUTH_CONFIG, 'b.yaml': AUTH_CONFIG.replace('cluster-name', 'other') });
    assert.equal(result.status, 78);
    assert.match(result.output, /b\.yaml:\d+:\d+:.*a\.yaml|a\.yaml:\d+:\d+:.*b\.yaml/);
  });
  await t.test('two configs of one issuer on one app', async (t) => {
    const result = await check(t, SETTINGS + APP_SERVICE, { 'a.yaml': AUTH_CONFIG, 'b.yaml': AUTH_CONFIG.replace('name: example', 'name: another') });
    assert.equal(result.status, 78);
    assert.match(result.output, /cluster-name/);
  });
  await t.test('a literal audience that opens two apps is a warning', async (t) => {
    const result = await check(t, `${SETTINGS}${APP_SERVICE}  - name: second\n    uri: mcp+http://localhost:3002/mcp\n`, { 'a.yaml': AUTH_CONFIG });
    assert.equal(result.status, 0);
    assert.match(result.output, /audience/);
  });
  await t.test('plain HTTP on an address that is not loopback', async (t) => {
    const result = await check(t, SETTINGS.replace('127.0.0.1:8080', '0.0.0.0:8080'));
    assert.equal(result.status, 78);
    assert.match(result.output, /gatehouse\.yaml:6:14: gate\.listen.*insecure/);
  });
  await t.test('a file that is not there', async () => {
    const result = await gatehouse('check', '-c', '/nonexistent/gatehouse.yaml');
    assert.equal(result.status, 78);
    assert.match(result.output, /nonexistent/);
  });
  await t.test('run refuses what check refuses', async (t) => {
    const directory = scratch(t);
    writeFileSync(join(directory, 'gatehouse.yaml'), SETTINGS.replace('kind: gatehouse', 'kind: gatehose'));
    const result = await gatehouse('run', '-c', join(directory, 'gatehouse.yaml'));
    assert.equal(result.status, 78);
    assert.match(result.output, /gatehouse\.yaml:2:7: kind: /);
  });
});

test("the README's configuration is accepted", async (t) => {
  const directory = scratch(t);
  const blocks = [...readFileSync('README.md', 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text);
  assert.ok(blocks.length >= 2);
  await makeCertificate(join(directory, 'tls'), 'gate.example.com', 'gate');
  mkdirSync(join(directory, 'resources.d'));
  // The users of a real host need not exist here.
  writeFileSync(join(directory, 'gatehouse.yaml'), blocks[0].replace(/^ *users: .*\n/m, ''));
  blocks.slice(1).forEach((text, i) => writeFileSync(join(directory, 'resources.d', `${i}.yaml`), text));
  const result = await gatehouse('check', '-c', join(directory, 'gatehouse.yaml'));
  assert.equal(result.output.replace(/^.*: ok: .*$/m, '').trim(), '');
  assert.equal(result.status, 0);
});

test('token', async (t) => {
  const directory = scratch(t);
  const out = join(directory, 'issuer');
  assert.equal((await gatehouse('token', 'keygen', '--out', out)).status, 0);
  const key = join(out, 'key.pem');
  const jwks = JSON.parse(readFileSync(join(out, 'jwks.json'), 'utf8'));

  await t.test('keygen keeps the key to its owner, and never overwrites', async () => {
    assert.equal(statSync(key).mode & 0o077, 0);
    const before = readFileSync(key, 'utf8');
    assert.notEqual((await gatehouse('token', 'keygen', '--out', out)).status, 0);
    assert.equal(readFileSync(key, 'utf8'), before);
  });
  await t.test('mint makes what jose verifies', async () => {
    const minted = await gatehouse('token', 'mint', '--key', key, '--issuer', 'https://i.example.com', '--audience', 'a',
      '--claim', 'email=x@example.com', '--claim', 'team=blue', '--ttl', '5m');
    assert.equal(minted.status, 0, minted.output);
    const token = minted.stdout.trim();
    assert.equal(minted.stdout, `${token}\n`);
    const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), { issuer: 'https://i.example.com', audience: 'a' });
    assert.equal(payload.email, 'x@example.com');
    assert.equal(payload.team, 'blue');
    assert.equal(payload.exp - payload.iat, 300);
    assert.equal(decodeProtectedHeader(token).kid, jwks.keys[0].kid);
  });
  await t.test('inspect shows what a token says', async () => {
    const token = (await gatehouse('token', 'mint', '--key', key, '--issuer', 'https://i.example.com', '--audience', 'a')).stdout.trim();
    const shown = await gatehouse('token', 'inspect', token);
    assert.equal(shown.status, 0, shown.output);
    assert.match(shown.stdout, /https:\/\/i\.example\.com/);
    assert.match(shown.stdout, new RegExp(jwks.keys[0].kid));
    assert.ok(!shown.stdout.includes(token.split('.')[2]), 'not the signature');
  });
  await t.test('wrong use says how', async () => {
    for (const args of [['token'], ['token', 'mint'], ['token', 'mint', '--key', key], ['token', 'burn'], ['token', 'mint', '--key', key, '--issuer', 'i', '--audience', 'a', '--ttl', 'soon']]) {
      const result = await gatehouse(...args);
      assert.ok(result.status !== 0 && result.status !== null, args.join(' '));
      assert.ok(result.output.length > 0);
    }
  });
});

test('usage', async () => {
  assert.match((await gatehouse('--version')).stdout, /^gatehouse \d/);
  const help = await gatehouse('--help');
  assert.equal(help.status, 0);
  for (const command of ['run', 'check', 'token', 'demo-server']) assert.match(help.stdout, new RegExp(command));
  const wrong = await gatehouse('rnu');
  assert.equal(wrong.status, 64);
  assert.match(wrong.output, /usage|run/);
  assert.equal((await gatehouse()).status, 64);
});
