// A random child dies every 200 ms, under load, with reloads, edits and revocations going on.
// 15 seconds; CHAOS_SECONDS=120 node --test tests/integration/chaos.test.mjs runs it longer.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { privateMemory } from './harness/process.mjs';
import { assertSound } from './harness/state.mjs';
import { Upstream } from './harness/upstream.mjs';
import { patience, waitFor } from './harness/wait.mjs';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 15);
const CLIENTS = 8;
const MEBIBYTE = 1 << 20;

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const idOf = (token) => `jwt_${createHash('sha256').update(`app\0${token}`).digest('hex')}`;

class Chaos {
  constructor(gate, issuer, upstream) {
    Object.assign(this, { gate, issuer, upstream, url: gate.url('app'), callers: [], answers: {}, wrong: [], kills: {}, revoked: 0 });
    this.over = false;
  }

  // A caller is `live`, `doubtful` from when its revocation was asked for, `revoked` once the
  // command said so.
  async newCaller() {
    const name = `user-${this.callers.length}`;
    const token = await this.issuer.token(this.url, { sub: name, email: `${name}@example.com`, exp: Math.floor(Date.now() / 1000) + 1500 });
    const caller = { token, id: idOf(token), state: 'live', answered: false };
    this.callers.push(caller);
    return caller;
  }

  async ask(caller, agent) {
    const before = caller.state;
    const answer = await post(this.url, caller.token, { agent }).catch((error) => error);
    const result = answer.status ?? answer.code ?? answer.message;
    this.answers[result] = (this.answers[result] ?? 0) + 1;
    if (answer.status === 200) caller.answered = true;
    const good = before === 'revoked' ? result !== 200 : before === 'doubtful' || caller.state !== 'live' || answer.status === undefined || [200, 503].includes(result);
    if (!good) this.wrong.push(`${before}: ${result} ${answer.text}`);
  }

  async client() {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.over) await this.ask(Math.random() < 0.1 ? await this.newCaller() : pick(this.callers), agent);
    agent.destroy();
  }

  async every(milliseconds, act) {
    while (!this.over) {
      await delay(milliseconds);
      await act();
    }
  }

  kill() {
    const children = this.gate.children();
    if (children.length === 0) return;
    const { pid, role } = pick(children);
    this.kills[role] = (this.kills[role] ?? 0) + 1;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }

  edit() {
    this.edits = (this.edits ?? 0) + 1;
    this.upstream.requests.length = 0; // it remembers each
    this.gate.writeResource(`edit-${this.edits % 5}.yaml`, {
      version: 'v1', kind: 'app', metadata: { name: `edit-${this.edits % 7}` }, spec: { uri: `mcp+http://127.0.0.1:${1 + (this.edits % 9)}/mcp` },
    });
  }

  async revoke() {
    const caller = pick(this.callers.filter(({ state, answered }) => state === 'live' && answered));
    if (!caller) return;
    caller.state = 'doubtful';
    const { status } = await gatehouse('sessions', 'revoke', '--session', caller.id, '-c', this.gate.settingsPath);
    if (status !== 0) return; // its watcher was killed; it may be revoked, or not
    caller.state = 'revoked';
    this.revoked++;
  }

  async run() {
    for (let i = 0; i < CLIENTS; i++) await this.newCaller();
    const loops = Array.from({ length: CLIENTS }, () => this.client());
    loops.push(this.every(200, () => this.kill()), this.every(700, () => this.gate.signal('SIGHUP')),
      this.every(300, () => this.edit()), this.every(400, () => this.revoke()));
    await delay(SECONDS * 1000);
    this.over = true;
    await Promise.all(loops);
  }
}

const memoryOf = (gate, role) => Math.max(...gate.children(role).map(({ pid }) => privateMemory(pid)));
const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;

test(`${SECONDS} seconds of chaos`, { timeout: (SECONDS + 120 * patience) * 1000 }, async (t) => {
  const upstream = await Upstream.start();
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
  });
  const chaos = new Chaos(gate, issuer, upstream);
  const warmed = await chaos.newCaller();
  for (let i = 0; i < 200; i++) assert.equal((await post(chaos.url, warmed.token)).status, 200);
  warmed.answered = true;
  const before = { master: privateMemory(gate.pid), worker: memoryOf(gate, 'worker'), fds: descriptors(gate.pid) };

  await chaos.run();

  t.diagnostic(`kills ${JSON.stringify(chaos.kills)}, answers ${JSON.stringify(chaos.answers)}, ${chaos.callers.length} callers, ${chaos.revoked} revoked`);
  await waitFor('all to be ready', async () => gate.children('worker').length === 2 && gate.children('watcher').length === 1 &&
    gate.children('janitor').length === 1 && gate.children().length === 5 && (await post(chaos.url, warmed.token)).status !== 503, { deadline: 30_000 });
  await gate.ready();
  assert.deepEqual(chaos.wrong.slice(0, 10), []);
  assert.ok(chaos.answers[200] > 20 * SECONDS, 'there was a service');
  assert.ok(chaos.revoked > 0, 'there were revocations');

  const ids = await assertSound(gate);
  assert.deepEqual(readdirSync(join(gate.directory, 'state')).filter((name) => name.includes('.bad-')), []);
  assert.doesNotMatch(gate.log, /CANNOT BE USED|watchdog:/);
  const lost = chaos.callers.filter(({ state, answered, id }) => answered && state !== 'revoked' && !ids.has(id));
  assert.deepEqual(lost, []);

  const checks = await gate.metric('signature_checks_total');
  for (const { token, state, answered } of chaos.callers) {
    if (!answered || state === 'doubtful') continue;
    const answer = await post(chaos.url, token);
    assert.equal(answer.status, state === 'revoked' ? 401 : 200, `${state}: ${answer.text}`);
  }
  assert.equal(await gate.metric('signature_checks_total'), checks, 'each was found in its session');

  const after = { master: privateMemory(gate.pid), worker: memoryOf(gate, 'worker'), fds: descriptors(gate.pid) };
  t.diagnostic(`before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
  // A sanitizer keeps what was freed for a while.
  if (patience === 1) assert.ok(after.master < before.master + 2 * MEBIBYTE && after.worker < before.worker + 4 * MEBIBYTE);
  assert.ok(after.fds <= before.fds + 2, 'master keeps no descriptor of a dead child');
});
