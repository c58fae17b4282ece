// `explain` and the gate say the same: 1 000 random calls by users of random roles.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Upstream } from './harness/upstream.mjs';

const USERS = 10;
const CALLS = 100; // of each user
// The first: calls that a rule with scopes allows, whose arguments leave another rule in doubt.
const SEEDS = process.env.TEST_SEED ? [Number(process.env.TEST_SEED)] : [1059419389, randomInt(2 ** 31)];
const ROLES = 12;

// A repeatable stream of numbers (mulberry32).
function chance(seed) {
  let state = seed;
  const below = (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
  return { below, pick: (list) => list[below(list.length)], sometimes: (percent) => below(100) < percent };
}

const TOOLS = ['echo', 'get_sum', 'get_env', 'get_secret', 'query', 'write_file', 'Echo', 'list_all', 'get_'];
const PATTERNS = ['*', 'get_*', 'echo', '*_secret', '^list_[a-z]+$', '^(get|list)_.*$', 'query', 'write_file', 'get_env', '^(a|aa)+$'];
const POINTERS = ['/database', '/limit', '/filter/owner', '/tags/0'];
const VALUES = ['sales', 'hr_*', '^x[0-9]$', 7, true, null, '', '1'];
const TEXTS = ['"sales"', '"hr_2026"', '"x1"', '"x12"', '7', '7.0', '70e-1', '8', 'true', 'null', '""', '1', '"1"', '"s\\u0061les"', '["sales"]', '{}'];
const SCOPES = ['mcp:read', 'db:write'];

function randomRule(random) {
  const name = random.pick(PATTERNS);
  if (random.sometimes(60)) return name;
  const condition = () => ({ pointer: random.pick(POINTERS), values: Array.from({ length: 1 + random.below(3) }, () => random.pick(VALUES)) });
  return { name, arguments: Array.from({ length: 1 + random.below(2) }, condition) };
}

function randomRole(random, name) {
  const rules = (count) => Array.from({ length: count }, () => randomRule(random));
  const spec = {};
  if (random.sometimes(85)) {
    spec.allow = { app_labels: { env: random.sometimes(85) ? 'prod' : 'test' }, mcp: { tools: rules(1 + random.below(4)) } };
    if (random.sometimes(20)) spec.allow.required_scopes = [random.pick(SCOPES)];
    if (random.sometimes(20)) spec.allow.mcp.tools.push({ name: random.pick(PATTERNS), scopes: [random.pick(SCOPES)] });
  }
  if (random.sometimes(35)) spec.deny = { mcp: { tools: rules(1 + random.below(2)) } };
  else if (random.sometimes(6)) spec.deny = { app_labels: { env: 'prod' } };
  return { version: 'v1', kind: 'role', metadata: { name }, spec };
}

// JSON text, so that a name may stand twice, or in another case.
function randomArguments(random) {
  const member = (name) => {
    const value = random.pick(TEXTS);
    const twice = random.sometimes(4) ? `,"${name}":${random.pick(TEXTS)}` : '';
    const cased = random.sometimes(4) ? `,"${name.toUpperCase()}":${random.pick(TEXTS)}` : '';
    return `"${name}":${value}${twice}${cased}`;
  };
  const members = ['database', 'limit'].filter(() => random.sometimes(60)).map(member);
  if (random.sometimes(40)) members.push(`"filter":{${member('owner')}}`);
  if (random.sometimes(40)) members.push(`"tags":[${random.pick(TEXTS)}]`);
  return `{${members.join(',')}}`;
}

// What the gate did, in the words of `explain`.
function decisionOf({ status, text }, reached) {
  if (reached) return 'allowed';
  if (status === 403 && /insufficient_scope|scope/.test(text)) return 'needs scope';
  const code = JSON.parse(text).error?.code;
  return code === -32600 ? 'refused' : 'denied';
}

for (const seed of SEEDS) test(`explain agrees with the gate for 1 000 random calls, seed ${seed}`, { timeout: 60_000 }, async (t) => {
  const random = chance(seed);
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const names = Array.from({ length: ROLES }, (_, i) => `role-${i}`);
  const mappings = [...names.map((name) => ({ claim: 'groups', value: name, roles: [name] })), { claim: 'groups', value: 'all', roles: ['access'] }];
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri, labels: { env: 'prod' } }],
    resources: {
      'issuer.yaml': [authConfig('corp', issuer, { jwt: { claims_to_roles: mappings } })],
      'roles.yaml': names.map((name) => randomRole(random, name)),
    },
  });
  const seen = {};

  for (let user = 0; user < USERS; user++) {
    const groups = [...names.filter(() => random.sometimes(18)), ...(random.sometimes(15) ? ['all'] : [])];
    const scope = SCOPES.filter(() => random.sometimes(40)).join(' ');
    const token = await issuer.token(gate.url('app'), { email: `user-${user}@example.com`, groups, ...(scope ? { scope } : {}) });
    const calls = Array.from({ length: CALLS }, () => ({ tool: random.pick(TOOLS), text: randomArguments(random) }));
    const tokenFile = join(gate.directory, `token-${user}`);
    const batch = join(gate.directory, `batch-${user}`);
    writeFileSync(tokenFile, token, { mode: 0o600 });
    writeFileSync(batch, calls.map(({ tool, text }) => `{"tool":"${tool}","arguments":${text}}`).join('\n'));
    const explained = await gatehouse('explain', '-c', gate.settingsPath, '--app', 'app', '--token-file', tokenFile, '--batch', batch, '--json');
    assert.equal(explained.status, 0, explained.output);
    const answers = explained.stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(answers.length, CALLS);
    for (let i = 0; i < CALLS; i++) {
      const { tool, text } = calls[i];
      const before = upstream.requests.length;
      const response = await post(gate.url('app'), token, { body: `{"jsonrpc":"2.0","id":${i},"method":"tools/call","params":{"name":"${tool}","arguments":${text}}}` });
      const decision = decisionOf(response, upstream.requests.length > before);
      assert.equal(decision, answers[i].decision,
        `seed ${seed}: ${tool} ${text} by ${groups} (${scope}): ${response.status} ${response.text.slice(0, 300)}\n${JSON.stringify(answers[i])}`);
      seen[decision] = (seen[decision] ?? 0) + 1;
    }
  }
  // A stream that shows one answer alone would prove little.
  for (const decision of ['allowed', 'denied']) assert.ok(seen[decision] > 20, `seed ${seed}: ${JSON.stringify(seen)}`);
});
