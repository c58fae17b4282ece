// Roles from documents to decisions: what is refused, what is warned of, what `explain` says.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Upstream } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

const READER = `version: v1
kind: role
metadata: {name: reader}
spec:
  allow:
    app_labels: {env: prod}
    mcp:
      tools:
      - get_*
      - ^list_[a-z]+$
      - name: query
        arguments:
        - {pointer: /database, values: [sales, "hr_*", 7]}
      - name: write
        scopes: [db:write]
      prompts: ['*']
      resources: ['demo://*']
  deny:
    mcp:
      tools: [get_env]
      resources: ['demo://secret/*']
`;

const LOCKED = `version: v1
kind: role
metadata: {name: locked-out}
spec:
  deny:
    app_labels: {env: prod}
`;

const mappings = [
  { claim: 'groups', value: 'dev', roles: ['reader'] },
  { claim: 'groups', value: 'suspended-*', roles: ['locked-out'] },
  { claim: 'groups', value: 'admin', roles: ['access'] },
  { claim: 'groups', value: 'many', roles: Array.from({ length: 17 }, (_, i) => `role-${i}`) },
];

async function setUp(t, resources = {}) {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [
      { name: 'app', uri: upstream.uri, labels: { env: 'prod' } },
      { name: 'other', uri: upstream.uri, labels: { env: 'test' } },
    ],
    resources: {
      'issuer.yaml': [authConfig('corp', issuer, { jwt: { claims_to_roles: mappings } })],
      'reader.yaml': [READER],
      'locked.yaml': [LOCKED],
      ...resources,
    },
  });
  let files = 0;
  const tokenFile = async (app, claims) => {
    const path = join(gate.directory, `token-${files++}`);
    writeFileSync(path, `${await issuer.token(gate.url(app), claims)}\n`, { mode: 0o600 });
    return path;
  };
  const explain = async (token, ...args) => {
    const result = await gatehouse('explain', '-c', gate.settingsPath, '--token-file', token, ...args);
    return { ...result, answer: args.includes('--json') && result.stdout ? JSON.parse(result.stdout.split('\n')[0]) : undefined };
  };
  return { upstream, issuer, gate, tokenFile, explain };
}

test('explain names the decision, the rule and its place', async (t) => {
  const { gate, tokenFile, explain, issuer } = await setUp(t);
  const place = (line, column) => `${join(gate.directory, 'resources.d/reader.yaml')}:${line}:${column}`;
  const dev = await tokenFile('app', { groups: ['x', 'dev'] });
  const ask = (...args) => explain(dev, '--app', 'app', ...args, '--json');

  await t.test('allowed by a glob, as text and as JSON', async () => {
    const { status, answer } = await ask('--tool', 'get_sum');
    assert.equal(status, 0);
    assert.deepEqual(answer, {
      decision: 'allowed', reason: 'a rule allows it', app: 'app', tool: 'get_sum', user: 'alice@example.com',
      issuer: issuer.name, roles: ['reader'], role: 'reader', rule: 'get_*', place: place(9, 9), side: 'allow',
    });
    const text = await explain(dev, '--app', 'app', '--tool', 'get_sum');
    assert.equal(text.status, 0);
    assert.match(text.stdout, /^allowed: tool "get_sum" of app: a rule allows it\n/);
    assert.match(text.stdout, new RegExp(`rule {4}"get_\\*", allow of the role "reader", at .*reader\\.yaml:9:9\n`));
    assert.doesNotMatch(text.output, /eyJ/);
  });

  await t.test('denied by a rule, and by none', async () => {
    const byRule = await ask('--tool', 'get_env');
    assert.equal(byRule.status, 1);
    assert.equal(byRule.answer.decision, 'denied');
    assert.equal(byRule.answer.side, 'deny');
    assert.equal(byRule.answer.place, place(20, 15));
    const byNone = await ask('--tool', 'drop');
    assert.equal(byNone.status, 1);
    assert.equal(byNone.answer.reason, 'no rule allows it');
    assert.equal(byNone.answer.place, undefined);
  });

  await t.test('argument conditions', async () => {
    const query = async (args) => (await ask('--tool', 'query', ...(args ? ['--args', args] : []))).answer.decision;
    assert.equal(await query('{"database":"sales"}'), 'allowed');
    assert.equal(await query('{"database":"hr_2026"}'), 'allowed');
    assert.equal(await query('{"database":7.0}'), 'allowed');
    assert.equal(await query('{"database":"7"}'), 'denied');
    assert.equal(await query(), 'denied');
    assert.equal(await query('{"database":"sales","Database":"all"}'), 'refused');
    const broken = await ask('--tool', 'query', '--args', '[1]');
    assert.equal(broken.status, 2);
    assert.match(broken.output, /no JSON object/);
  });

  await t.test('scopes that are missing', async () => {
    const { status, answer } = await ask('--tool', 'write');
    assert.equal(status, 1);
    assert.equal(answer.decision, 'needs scope');
    assert.deepEqual(answer.missing, ['db:write']);
    const scoped = await tokenFile('app', { groups: 'dev', scope: 'openid db:write' });
    assert.equal((await explain(scoped, '--app', 'app', '--tool', 'write')).status, 0);
  });

  await t.test('prompts and resources', async () => {
    assert.equal((await ask('--prompt', 'anything')).status, 0);
    assert.equal((await ask('--resource', 'demo://a')).status, 0);
    assert.equal((await ask('--resource', 'demo://secret/a')).status, 1);
    assert.equal((await ask('--resource', 'demo://open/../secret/a')).status, 1);
    assert.equal((await ask('--resource', 'file:///a')).status, 1);
  });

  await t.test('an app that the labels do not choose, a role that forbids the app, the built-in role', async () => {
    const elsewhere = await tokenFile('other', { groups: ['dev'] });
    const other = await explain(elsewhere, '--app', 'other', '--tool', 'get_sum', '--json');
    assert.equal(other.status, 1);
    assert.equal(other.answer.reason, 'no role allows the app');
    const suspended = await tokenFile('app', { groups: ['dev', 'suspended-2026'] });
    const shut = await explain(suspended, '--app', 'app', '--tool', 'get_sum', '--json');
    assert.equal(shut.status, 1);
    assert.deepEqual(shut.answer.roles, ['reader', 'locked-out']);
    assert.equal(shut.answer.role, 'locked-out');
    assert.match(shut.answer.place, /locked\.yaml:5:3$/);
    const admin = await tokenFile('app', { groups: ['admin'] });
    assert.equal((await explain(admin, '--app', 'app', '--tool', 'anything')).status, 0);
    const both = await tokenFile('app', { groups: ['admin', 'dev'] });
    assert.equal((await explain(both, '--app', 'app', '--tool', 'anything')).status, 0);
    assert.equal((await explain(both, '--app', 'app', '--tool', 'get_env')).status, 1);
    const nobody = await tokenFile('app', {});
    assert.equal((await explain(nobody, '--app', 'app', '--tool', 'get_sum')).status, 1);
  });

  await t.test('a token that is refused, and what cannot be said', async () => {
    const many = await tokenFile('app', { groups: ['many'] });
    const refused = await explain(many, '--app', 'app', '--tool', 'x', '--json');
    assert.equal(refused.status, 1);
    assert.equal(refused.answer.decision, 'refused');
    assert.match(refused.answer.reason, /more roles than a session may have/);
    assert.equal((await post(gate.url('app'), await issuer.token(gate.url('app'), { groups: ['many'] }))).status, 401);
    const foreign = await explain(dev, '--app', 'other', '--tool', 'x', '--json');
    assert.equal(foreign.answer.reason, 'the token is not for this resource');
    assert.equal((await explain(dev, '--app', 'none', '--tool', 'x')).status, 2);
    assert.equal((await explain(join(gate.directory, 'nothing'), '--app', 'app', '--tool', 'x')).status, 2);
    for (const [mistake, ...line] of [['--app is missing', '--tool', 'x'], ['one of --tool', '--app', 'app'],
      ['one of --tool', '--app', 'app', '--tool', 'x', '--prompt', 'y'], ['--args', '--app', 'app', '--prompt', 'x', '--args', '{}'], ['options alone', '--app', 'app', 'x']]) {
      const wrong = await explain(dev, ...line);
      assert.equal(wrong.status, 64);
      assert.match(wrong.output, new RegExp(`^gatehouse explain: .*${mistake}.*\nusage:`));
    }
  });

  await t.test('many questions at once', async () => {
    const batch = join(gate.directory, 'batch');
    writeFileSync(batch, [{ tool: 'get_sum' }, { tool: 'query', arguments: { database: 'hr_1' } }, { prompt: 'p' }, { resource: 'x:y' }]
      .map((line) => JSON.stringify(line)).join('\n'));
    const { status, stdout } = await explain(dev, '--app', 'app', '--batch', batch, '--json');
    assert.equal(status, 0);
    assert.deepEqual(stdout.trim().split('\n').map((line) => JSON.parse(line).decision), ['allowed', 'allowed', 'allowed', 'denied']);
    writeFileSync(batch, '{"tool":"a","prompt":"b"}\n');
    assert.equal((await explain(dev, '--app', 'app', '--batch', batch)).status, 2);
  });
});

test('a session has the roles of its claims', async (t) => {
  const { gate, issuer } = await setUp(t);
  const token = await issuer.token(gate.url('app'), { groups: ['dev', 'suspended-x'] });
  await post(gate.url('app'), token);
  const list = await gatehouse('sessions', 'list', '-c', gate.settingsPath, '--json');
  assert.deepEqual(JSON.parse(list.stdout).sessions.map(({ roles }) => roles), [['reader', 'locked-out']]);
});

test('a change of a role counts, a mistake keeps the last good version', async (t) => {
  const { gate, tokenFile, explain } = await setUp(t);
  const dev = await tokenFile('app', { groups: 'dev' });
  const status = async () => JSON.parse((await gatehouse('status', '-c', gate.settingsPath, '--json')).stdout).documents
    .find(({ kind, name }) => kind === 'role' && name === 'reader');
  const says = async (tool) => (await explain(dev, '--app', 'app', '--tool', tool)).status;

  assert.equal(await says('drop'), 1);
  gate.writeResource('reader.yaml', READER.replace('get_*', 'drop'));
  await waitFor('the new rule', async () => (await says('drop')) === 0);
  assert.equal(await says('get_sum'), 1);

  gate.writeResource('reader.yaml', READER.replace('^list_[a-z]+$', '^list_[a-z+$'));
  const refused = await waitFor('the refusal', async () => {
    const document = await status();
    return document.state === 'refused' && document;
  });
  assert.match(JSON.stringify(refused), /reader\.yaml/);
  assert.match(refused.reason, /spec\.allow\.mcp\.tools\[1\]: behind its first \d+ bytes: missing terminating \]/);
  assert.equal(await says('drop'), 0);

  // Labels that choose another app.
  gate.writeResource('reader.yaml', READER.replace('env: prod', 'env: test'));
  const other = await tokenFile('other', { groups: 'dev' });
  await waitFor('the other app', async () => (await explain(other, '--app', 'other', '--tool', 'get_sum')).status === 0);
  assert.equal(await says('drop'), 1);
  const keys = (await gate.dump('config', 'policies')).map(([key]) => key);
  assert.deepEqual(keys, ['app/app/locked-out', 'app/app/reader', 'app/other/reader', 'role/locked-out/deny', 'role/reader/allow', 'role/reader/deny']);

  // What was published is there after a restart, also when its file is broken meanwhile.
  gate.writeResource('reader.yaml', 'version: v1\nkind: role\nmetadata: {name: reader}\nspec: {allow: [}\n');
  await gate.stop();
  await gate.run();
  assert.equal((await explain(other, '--app', 'other', '--tool', 'get_sum')).status, 0);

  gate.removeResource('reader.yaml');
  await waitFor('the role gone', async () => (await explain(other, '--app', 'other', '--tool', 'get_sum')).status === 1);
  assert.deepEqual((await gate.dump('config', 'policies')).map(([key]) => key), ['app/app/locked-out', 'role/locked-out/deny']);
});

test('a role that nobody makes is told of', async (t) => {
  const { gate } = await setUp(t);
  const told = () => gate.log.match(/role_missing: app_auth_config corp: claims_to_roles: there is no role "locked-out"/g)?.length ?? 0;
  await gate.logged(/role_missing: app_auth_config corp: claims_to_roles: there is no role "role-16": it grants nothing/);
  assert.equal(told(), 0);
  gate.removeResource('locked.yaml');
  await waitFor('the notice', () => told() === 1);
});

test('check refuses mistakes with their places', async (t) => {
  const { gate } = await setUp(t, {
    'bad.yaml': [READER.replace('reader', 'bad').replace('get_*', '^a($').replace('^list_[a-z]+$', '"{{internal.mcp_tools}}"')
      .replace('prompts:', 'prompt:')],
  });
  const { status, output } = await gate.check();
  assert.equal(status, 78);
  const at = (line, column, text) => assert.ok(output.includes(`bad.yaml:${line}:${column}: ${text}`), `${text} in\n${output}`);
  at(9, 9, 'spec.allow.mcp.tools[0]: behind its first 4 bytes: missing closing parenthesis');
  at(10, 9, 'spec.allow.mcp.tools[1]: templates such as {{internal.mcp_tools}} are not filled in');
  at(16, 7, 'spec.allow.mcp.prompt: unknown key; did you mean "prompts"?');
});

test('check warns of what can never match', async (t) => {
  const { gate } = await setUp(t, {
    'odd.yaml': [`version: v1
kind: role
metadata: {name: odd}
spec:
  allow:
    app_labels: {env: nowhere}
    mcp:
      tools: [a, a, "two words", get_env]
      resources: ["file:///a/../b"]
  deny:
    mcp: {tools: ["get_*"]}
---
version: v1
kind: role
metadata: {name: locked}
spec:
  allow:
    mcp: {tools: ["*"]}
`],
  });
  const shown = JSON.parse((await gatehouse('status', '-c', gate.settingsPath, '--json')).stdout).documents
    .find(({ name }) => name === 'odd');
  assert.equal(shown.state, 'accepted');
  assert.match(shown.warning, /^spec\.allow\.mcp\.tools: "a" stands there twice \(and 3 more/);
  assert.match((await gatehouse('status', '-c', gate.settingsPath)).stdout, /role\/odd.*warning: spec\.allow/);
  const { status, output } = await gate.check();
  assert.equal(status, 0);
  for (const text of [
    'odd.yaml:8:18: warning: spec.allow.mcp.tools: "a" stands there twice',
    'odd.yaml:8:21: warning: spec.allow.mcp.tools: "two words" is no tool\'s name',
    'odd.yaml:8:34: warning: spec.allow.mcp.tools: "get_env" allows nothing: spec.deny forbids all of it',
    'odd.yaml:5:3: warning: spec.allow.app_labels: no app bears these labels',
    'odd.yaml:9:19: warning: spec.allow.mcp.resources: "file:///a/../b" never matches',
    'odd.yaml:1:1: warning: metadata.name: no user has the role "odd"',
    'odd.yaml:17:3: warning: spec.allow: without app_labels it allows no app',
    'warning: spec.jwt.claims_to_roles: there is no role "role-0"; it grants nothing',
  ]) assert.ok(output.includes(text), `${text} in\n${output}`);
  assert.match(output, /2 apps, 1 app auth config, 4 roles/);
});
