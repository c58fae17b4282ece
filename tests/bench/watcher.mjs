// How fast the watcher is with many documents: loading them all, and one that changes.
//
//   node tests/bench/watcher.mjs [apps] [configs]
//
// One document a file. App i bears three labels; each config selects a tenth of a percent of the apps or so, so that
// each app is matched by up to three configs, of three issuers. One config binds 100 apps.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gateway, authConfig } from '../integration/harness/gateway.mjs';
import { Issuer } from '../integration/harness/issuer.mjs';
import { waitFor } from '../integration/harness/wait.mjs';

const apps = Number(process.argv[2] ?? 10000);
const configs = Number(process.argv[3] ?? 1000);
const ends = [];
const context = { after: (end) => ends.push(end) };
const issuer = await Issuer.make('bench');

// The configs are in three groups; each splits the apps by a label of its own. The last one takes 100 apps.
const group = Math.floor((configs - 1) / 3);

function app(i) {
  const labels = { a: `v${i % group}`, b: `v${(i * 7) % group}`, c: `v${(i * 13) % group}`, ...(i < 100 ? { hundred: 'yes' } : {}) };
  return {
    version: 'v1', kind: 'app', metadata: { name: `app-${i}`, labels },
    spec: { uri: 'mcp+http://127.0.0.1:9/mcp' },
  };
}

function config(i, audience = '{{app.resource}}') {
  const name = 'abc'[i % 3];
  const labels = i === configs - 1 ? [{ name: 'hundred', values: ['yes'] }] : [{ name, values: [`v${Math.floor(i / 3)}`] }];
  const made = authConfig(`config-${i}`, issuer, { labels });
  made.spec.jwt.issuer = i === configs - 1 ? 'issuer-hundred' : `issuer-${name}`;
  made.spec.jwt.audience = audience;
  return made;
}

const judged = /documents_judged.*?(\d+) of (\d+) files read in (\d+) ms/g;

function readings(gate) {
  return [...gate.log.matchAll(judged)].map(([, read, files, ms]) => ({ read: Number(read), files: Number(files), ms: Number(ms) }));
}

const databases = ['apps', 'app_auth_configs', 'bindings', 'hosts', 'keys', 'status'];

async function records(gate) {
  const all = new Map();
  for (const database of databases) for (const [key, value] of await gate.dump('config', database)) all.set(`${database} ${key}`, value);
  return all;
}

function differences(before, after) {
  let count = 0;
  for (const [key, value] of after) count += before.get(key) !== value;
  for (const key of before.keys()) count += !after.has(key);
  return count;
}

// Three times the same change with another value: each is a line.
async function change(gate, name, act) {
  for (const round of [1, 2, 3]) {
    const before = await records(gate);
    const count = readings(gate).length;
    act(round);
    await waitFor(name, () => readings(gate).length > count, { deadline: 60000 });
    const { read, ms } = readings(gate).at(-1);
    console.log(`${name}: ${ms} ms, ${read} files read, ${differences(before, await records(gate))} records differ`);
  }
}

function memory(gate) {
  const status = readFileSync(`/proc/${gate.children('watcher')[0].pid}/status`, 'utf8');
  return ['VmRSS', 'VmHWM'].map((name) => `${name} ${Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) / 1024)} MiB`).join(', ');
}

try {
  const gate = await Gateway.prepare(context, { workers: 1, limits: { watchdog: '60s' } });
  const directory = join(gate.directory, 'resources.d');
  mkdirSync(directory, { recursive: true });
  for (let i = 0; i < apps; i++) writeFileSync(join(directory, `app-${i}.yaml`), JSON.stringify(app(i)));
  for (let i = 0; i < configs; i++) writeFileSync(join(directory, `config-${i}.yaml`), JSON.stringify(config(i)));
  await gate.run();
  console.log(`load of ${apps} apps and ${configs} configs: ${readings(gate)[0].ms} ms; ${memory(gate)}`);
  console.log(`records: ${JSON.stringify(await gate.entries('config'))}`);
  const last = configs - 1;
  const path = `config-${last}.yaml`;
  await change(gate, 'audience of the config of 100 apps', (round) => gate.writeResource(path, JSON.stringify(config(last, `audience-${round}`))));
  await change(gate, 'claim of the config of 100 apps', (round) => {
    const changed = config(last);
    changed.spec.jwt.username_claim = `claim-${round}`;
    gate.writeResource(path, JSON.stringify(changed));
  });
  await change(gate, 'issuer of the config of 100 apps', (round) => {
    const changed = config(last);
    changed.spec.jwt.issuer = `issuer-hundred-${round}`;
    gate.writeResource(path, JSON.stringify(changed));
  });
  await change(gate, 'one app', (round) => {
    const changed = app(5);
    changed.spec.uri = `mcp+http://127.0.0.1:${round}/mcp`;
    gate.writeResource('app-5.yaml', JSON.stringify(changed));
  });
  console.log(memory(gate));
} finally {
  for (const end of ends.reverse()) await end();
}
