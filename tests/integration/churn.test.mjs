// Documents that change all the time, under load: none of the changes is lost, no request notices.
// CHURN_SECONDS: how long, 100 changes a second.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Load } from './harness/load.mjs';
import { Upstream } from './harness/upstream.mjs';
import { patience, waitFor } from './harness/wait.mjs';

const SECONDS = Number(process.env.CHURN_SECONDS ?? 5);
const RATE = 100;
const FILES = 40;

test(`${RATE} changes a second for ${SECONDS} s lose none and drop no request`, async (t) => {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const steady = await Issuer.make();
  const issuers = await Promise.all(Array.from({ length: FILES }, () => Issuer.make()));
  const gate = await Gateway.start(t, {
    apps: [{ name: 'steady', uri: upstream.uri, labels: { app: 'steady' } }],
    resources: { 'steady.yaml': [authConfig('steady', steady, { labels: { app: 'steady' } })] },
  });
  const url = gate.url('steady');
  const load = Load.posting(t, 8, url, [await steady.token(url), await steady.token(url)]);

  // Each file: an app and its config, there or not, with an audience that a number tells apart.
  const state = Array.from({ length: FILES }, () => undefined);
  const write = (i, n) => {
    state[i] = n;
    if (n === undefined) {
      gate.removeResource(`${i}.yaml`);
      return;
    }
    gate.writeResource(`${i}.yaml`,
      { version: 'v1', kind: 'app', metadata: { name: `app-${i}`, labels: { app: `${i}` } }, spec: { uri: upstream.uri } },
      authConfig(`config-${i}`, issuers[i], { labels: { app: `${i}` }, jwt: { audience: `audience-${n}` } }));
  };
  const begin = performance.now();
  let changes = 0;
  while (changes < SECONDS * RATE) {
    const due = Math.min(SECONDS * RATE, Math.floor(((performance.now() - begin) / 1000) * RATE));
    for (; changes < due; changes++) {
      const i = changes % FILES;
      write(i, state[i] !== undefined && changes % 7 === 0 ? undefined : changes);
    }
    await delay(5);
  }
  const last = performance.now();
  t.diagnostic(`${changes} changes in ${((last - begin) / 1000).toFixed(1)} s`);

  for (const [i, n] of state.entries()) {
    const app = gate.url(`app-${i}`);
    const token = await issuers[i].token(`audience-${n ?? 0}`);
    await waitFor(`change ${n} of file ${i}`, async () => (await post(app, token)).status === (n === undefined ? 401 : 200));
  }
  t.diagnostic(`all in force ${(performance.now() - last).toFixed(0)} ms after the last`);
  await load.stop();
  assert.deepEqual(load.failures, []);
  assert.ok(load.done.length > 100 * SECONDS / patience, `${load.done.length} requests`);
  const names = (await gate.dump('config', 'apps')).map(([key]) => key).filter((key) => key.startsWith('app-'));
  assert.deepEqual(names.sort(), state.flatMap((n, i) => (n === undefined ? [] : [`app-${i}`])).sort());
});
