// All transports at once, for as long as one likes, while endpoints, servers and the gateway's own
// processes fail at random; and again and again a rest, in which all that was held must be given back.
// A minute; `make soak` takes half an hour (SOAK_SECONDS).

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GATEHOUSE, Gateway, authConfig } from './harness/gateway.mjs';
import { Issuer } from './harness/issuer.mjs';
import { live } from './harness/lives.mjs';
import { startEverything } from './harness/mcp.mjs';
import { Relay } from './harness/relay.mjs';
import { Upstream } from './harness/upstream.mjs';
import { beyond, guardiansOf, marked, median, slope, storeOf, vitalsOf } from './harness/vitals.mjs';
import { patience, waitFor } from './harness/wait.mjs';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 60);
const LOAD = (SECONDS <= 120 ? 5 : 20) * 1000; // of work between two rests
const STUCK = 40_000 * patience; // milliseconds after which a life is stuck, not slow
const MEBIBYTE = 1 << 20;

const everything = join(dirname(fileURLToPath(import.meta.url)), '../node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const pick = (list) => list[Math.floor(Math.random() * list.length)];
const slowCount = { name: 'slow_count', arguments: { to: 20, delay_ms: 100 } };
const longOperation = { name: 'trigger-long-running-operation', arguments: { duration: 2, steps: 20 } };

class Soak {
  static async start(t) {
    const soak = new Soak();
    Object.assign(soak, { t, mark: randomUUID(), results: {}, faults: {}, wrong: [], samples: [], lived: 0, cut: { process: 0, endpoint: 0 } });
    soak.issuer = await Issuer.make();
    soak.web = await Upstream.start();
    t.after(() => soak.web.stop());
    soak.streamable = await startEverything(t);
    soak.sse = await startEverything(t, 'sse');
    soak.relays = [];
    for (const { port } of [soak.web, soak.streamable, soak.sse, soak.streamable, soak.streamable, soak.streamable]) soak.relays.push(await Relay.start(t, port));
    soak.gate = await Gateway.start(t, soak.options());
    soak.processes = soak.gate.children().length;
    return soak;
  }

  options() {
    const [web, streamable, sse, ...several] = this.relays.map(({ origin }) => origin);
    const endpoints = { endpoints: several.map((origin) => `mcp+${origin}/mcp`), health_check: { interval: '500ms' } };
    const user = process.getuid() === 0 ? { run_as_host_user: 'nobody' } : {};
    const stdio = (name, command, args, more = {}) => ({ name, mcp: { command, args, env: { SOAK: this.mark }, ...user, ...more } });
    const demo = (name, more) => stdio(name, GATEHOUSE, ['demo-server', '--stdio'], more);
    const strict = { clock_skew: '1s' }; // a kernel's coarse clock is a tick behind its fine one
    return {
      apps: [
        { name: 'web', uri: web, public_addr: 'web.example.com', labels: { soak: 'web' } },
        { name: 'streamable', uri: `mcp+${streamable}/mcp` },
        { name: 'sse', uri: `mcp+sse+${sse}/sse` },
        { name: 'several', ...endpoints },
        { name: 'reopened', ...endpoints, on_endpoint_loss: 'reinitialize' },
        stdio('everything', process.execPath, [everything, 'stdio']),
        demo('session'),
        demo('user', { scope: 'user' }),
        demo('shared', { scope: 'shared' }),
      ],
      gate: { stdio: { users: ['nobody'], idle_timeout: '1s', stop_timeout: '1s', kill_timeout: '1s' } },
      limits: { upstream_idle: '500ms', mcp_session_idle: '4s', drain_timeout: '5s' },
      resources: {
        'issuer.yaml': [authConfig('issuer', this.issuer, { jwt: strict })],
        'web.yaml': [authConfig('web', this.issuer, { labels: { soak: 'web' }, jwt: { ...strict, audience: 'web' } })],
      },
    };
  }

  // Who lives how, with which app; each is one of the clients that are there at once.
  get actors() {
    const byHand = (app, slow) => ['byHand', { app, slow }];
    return [
      byHand('session', slowCount), byHand('session', slowCount), byHand('user', slowCount), byHand('shared', slowCount),
      byHand('streamable', longOperation), byHand('sse', longOperation), byHand('everything', longOperation),
      byHand('several', longOperation), byHand('reopened', longOperation), ['v1', { app: 'several' }], ['v1', { app: 'reopened' }],
      ['v1', { app: 'streamable' }], ['legacy', { app: 'session' }], ['modern', { app: 'session' }], ['modern', { app: 'shared' }],
      ['byOldSdk', { app: 'streamable' }], ['byOldSdk', { app: 'session' }], ['byOldSdk', { app: 'sse' }],
      ['byBrowser', { host: 'web.example.com' }],
    ];
  }

  // Faults that may cut a client's stream, of which it is told nothing more: a server's own are answered.
  cuts({ app }) {
    return this.cut.process + (['web', 'streamable', 'sse', 'several', 'reopened', undefined].includes(app) ? this.cut.endpoint : 0);
  }

  async life(kind, facts) {
    const begun = Date.now();
    const cuts = this.cuts(facts);
    const result = await live(kind, { gate: this.gate, issuer: this.issuer, ...facts }, STUCK);
    this.lived++;
    this.results[result] = (this.results[result] ?? 0) + 1;
    // Faults make errors; a token that is good, and a request that is sound, is never refused.
    const wrong = result === 'stuck' ? cuts === this.cuts(facts) : /^(?:another answer|other tools|(?!502|503|504|404|200)\d{3}$)/.test(result);
    if (wrong) this.wrong.push(`${new Date(begun).toISOString()} for ${Date.now() - begun} ms, ${kind} ${facts.app}: ${result}`);
    return result;
  }

  async every(milliseconds, act) {
    while (!this.over) {
      await delay(milliseconds * (0.5 + Math.random()));
      if (!this.over) await act();
    }
  }

  fault(name, pid) {
    if (pid === undefined) return;
    this.faults[name] = (this.faults[name] ?? 0) + 1;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }

  async breakEndpoint() {
    const relay = pick(this.relays);
    this.faults.endpoint = (this.faults.endpoint ?? 0) + 1;
    this.cut.endpoint++;
    relay.shut();
    await delay(200);
    relay.open();
  }

  breakServer() {
    if (Math.random() < 0.5) this.fault('guardian', pick(guardiansOf(this.gate))?.pid);
    else this.fault('server', pick(marked(this.mark)));
  }

  // Of ours: any but master.
  breakProcess() {
    const child = pick(this.gate.children());
    if (child === undefined) return;
    this.cut.process++;
    this.fault(child.role, child.pid);
  }

  // Work for a while. `harsh`: processes of the gateway die, too.
  async work(harsh) {
    this.over = false;
    this.web.requests.length = 0; // it remembers each
    const loops = this.actors.map(([kind, facts]) => this.every(60, () => this.life(kind, facts)));
    loops.push(this.every(1000, () => this.breakEndpoint()), this.every(700, () => this.breakServer()),
      this.every(1500, () => this.gate.signal('SIGHUP')), this.every(2500, () => this.gate.signal('SIGUSR1')));
    if (harsh) loops.push(this.every(1200, () => this.breakProcess()));
    await delay(LOAD);
    this.over = true;
    await Promise.all(loops);
  }

  // Each app serves each of its clients, once nothing fails any more.
  async serves() {
    for (const [kind, facts] of this.actors) {
      await waitFor(`${kind} ${facts.app}`, async () => {
        const result = await this.life(kind, facts);
        if (result !== 'whole') throw new Error(result);
        return true;
      }, { deadline: 30_000, every: 200 });
    }
  }

  // Until all is given back that work took; then what is held is what was held before.
  async rest() {
    let vitals;
    await waitFor('all processes', () => this.gate.children().length === this.processes, { deadline: 30_000 });
    await waitFor('the last server to end', () => guardiansOf(this.gate).length === 0 && marked(this.mark).length === 0, { deadline: 15_000 })
      .catch((error) => assert.fail(`${error.message}: ${guardiansOf(this.gate).length} guardians, ${marked(this.mark).length} processes\n${this.gate.log.slice(-4000)}`));
    await waitFor('descriptors to be given back', () => {
      vitals = vitalsOf(this.gate);
      const kept = Object.entries(vitals).map(([name, { descriptors }]) => [name, beyond(descriptors, this.base?.[name].descriptors ?? descriptors)])
        .filter(([, more]) => more.length > 0);
      if (kept.length > 0) throw new Error(JSON.stringify(kept));
      return true;
    }, { deadline: 15_000, every: 100 });
    return vitals;
  }

  async sample(harsh) {
    const vitals = await this.rest();
    const stores = { config: await storeOf(this.gate, 'config'), sessions: await storeOf(this.gate, 'sessions') };
    const entries = await this.gate.entries('sessions');
    this.samples.push({ harsh, vitals, stores, lived: this.lived });
    const of = ({ descriptors, memory }) => `${descriptors.length}/${(memory / 1024).toFixed(0)}`;
    this.t.diagnostic(`${harsh ? 'harsh' : 'calm'}, ${this.lived} lives; descriptors/KiB: ${Object.entries(vitals).map(([name, vital]) => `${name} ${of(vital)}`).join(', ')}; ` +
      `readers/pages: ${Object.entries(stores).map(([name, { readers, pages }]) => `${name} ${readers}/${pages}`).join(', ')}; sessions ${entries.sessions}, MCP sessions ${entries.mcp_sessions}`);
  }

  // How a number of each sample grows: by least squares a rest, and from the first third to the last.
  growth(numbers) {
    const third = Math.ceil(numbers.length / 3);
    return { slope: slope(numbers), step: median(numbers.slice(-third)) - median(numbers.slice(0, third)) };
  }
}

test(`${SECONDS} seconds of everything at once`, { timeout: (SECONDS * 3 + 300) * 1000 * patience }, async (t) => {
  const soak = await Soak.start(t);
  // The base: when each way was gone once.
  await soak.serves();
  soak.base = await soak.rest();

  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 1000;
  while (elapsed() < SECONDS || soak.samples.filter(({ harsh }) => !harsh).length < 3) {
    // What dies begins anew, and hides what it held: memory is compared where nothing of ours dies.
    const harsh = elapsed() < SECONDS / 3;
    await soak.work(harsh);
    if (harsh) await soak.serves();
    await soak.sample(harsh);
    if (soak.wrong.length > 0 && process.env.SOAK_LOG) writeFileSync(process.env.SOAK_LOG, soak.gate.log);
    assert.deepEqual(soak.wrong, []);
  }
  await soak.serves();
  t.diagnostic(`${elapsed().toFixed(0)} s, faults ${JSON.stringify(soak.faults)}, lives ${JSON.stringify(soak.results)}`);
  assert.ok(soak.results.whole > soak.lived / 2, 'there was a service');

  const calm = soak.samples.filter(({ harsh }) => !harsh);
  const lives = calm.at(-1).lived - calm[0].lived;
  for (const name of Object.keys(soak.base)) {
    assert.equal(new Set(calm.map(({ vitals }) => vitals[name].pid)).size, 1, `${name} lived on`);
    const { slope: a, step } = soak.growth(calm.map(({ vitals }) => vitals[name].memory));
    t.diagnostic(`${name}: ${(a / 1024).toFixed(1)} KiB a rest, ${(step / 1024).toFixed(0)} KiB in ${lives} lives`);
    // A heap's pieces settle; a leak of 1 KiB a life is more in half an hour.
    if (patience === 1) assert.ok(step < 2 * MEBIBYTE, `${name} grew by ${step} bytes in ${lives} lives`);
  }
  for (const store of ['config', 'sessions']) {
    const readers = calm.map(({ stores }) => stores[store].readers);
    assert.ok(soak.growth(readers).step <= 0, `readers of ${store}: ${readers.join(' ')}`);
  }
  // The last token's end is the end of its session, and of its pages.
  await waitFor('the last session to end', async () => {
    const entries = await soak.gate.entries('sessions');
    return entries.sessions + entries.mcp_sessions + entries.sessions_by_user + entries.sessions_by_id === 0;
  }, { deadline: 60_000, every: 500 });
  const pages = { config: (await storeOf(soak.gate, 'config')).pages, sessions: (await storeOf(soak.gate, 'sessions')).pages };
  t.diagnostic(`pages in the end: ${JSON.stringify(pages)}`);
  assert.ok(pages.config < 32 && pages.sessions < 32, `pages in the end: ${JSON.stringify(pages)}`);
  assert.doesNotMatch(soak.gate.log, /CANNOT BE USED|watchdog:/);
  await soak.rest();
  await soak.gate.stop();
  await waitFor('nothing to be left', () => marked(soak.mark).length === 0);
});
