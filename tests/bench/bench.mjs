// What a request costs, beside nginx, HAProxy and the least that a gateway can do: `make bench`.
//
//   bench.mjs PROGRAMS [--rows NAME,…] [--rounds 7] [--seconds 2] [--out FILE]
//
// One worker or thread of each on one core, load and upstream on the other. Targets take turns (A B, B A, …), so that whatever else the machine does
// falls on both alike; ratios are taken pair by pair, and their median is printed with the least and the most. CPU time per request is the figure to
// trust: requests a second end where the load generator does. Prints a Markdown table.

import { execFile, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify, parseArgs } from 'node:util';
import { freePort } from '../integration/harness/ports.mjs';
import { Bench, LOAD_CPU } from './targets.mjs';

const { values: options, positionals: [programs] } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: 'string' }, rounds: { type: 'string', default: '7' }, seconds: { type: 'string', default: '2' }, out: { type: 'string' } },
});
const ROUNDS = Number(options.rounds);
const SECONDS = Number(options.seconds);
const CONNECTIONS = 64;
const PACE_PAIRS = Math.max(15, ROUNDS);
const EVENT_PAIRS = 4 * ROUNDS + 3; // of a second each: they scatter most
const STREAMS = 2000; // idle ones, for memory
const NEW_TOKENS = 3000; // a round
const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
const bench = new Bench(directory, programs, {});
const wanted = options.rows?.split(',');

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function spread(values) {
  return { middle: median(values), low: Math.min(...values), high: Math.max(...values) };
}

// A 95 % interval of the median, by the order statistics of the sign test.
function interval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(0, Math.floor(sorted.length / 2 - 0.98 * Math.sqrt(sorted.length)));
  return [sorted[rank], sorted[sorted.length - 1 - rank]];
}

// Runs a load program pinned, and adds what the target spent meanwhile.
async function load(target, command, args, env = {}) {
  const before = target.cpu();
  const { stdout } = await run('taskset', ['-c', LOAD_CPU, command, ...args], { env: { ...process.env, ...env }, maxBuffer: 1 << 24 });
  const result = JSON.parse(stdout.trim().split('\n').at(-1));
  if (result.bad > 0) throw new Error(`${target.name}: ${result.bad} bad answers`);
  return { ...result, rate: result.count / result.seconds, cpu: (target.cpu() - before) / 1e3 / result.count };
}

const storm = (target) => load(target, 'wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, '--timeout', '10s', '-s', join(here, 'call.lua'), target.url], { TOKEN: bench.token });
const pace = (target, rate) => load(target, join(bench.programs, 'pace'), [target.port, target.path, bench.file('token'), CONNECTIONS, rate, SECONDS].map(String));
const fresh = (target, file) => load(target, join(bench.programs, 'pace'), [target.port, target.path, file, CONNECTIONS].map(String));
const events = (target) => load(target, join(bench.programs, 'events'), [target.port, target.path, bench.file('token'), 64, 100, 10].map(String));

// [ours, peer] results of each round.
async function pairs(rounds, ours, peer) {
  const results = [];
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const first = await ours(round);
      results.push([first, await peer(round)]);
    } else {
      const first = await peer(round);
      results.push([await ours(round), first]);
    }
  }
  return results;
}

const ratios = (results, key) => spread(results.map(([ours, peer]) => ours[key] / peer[key]));
const table = [];

function row(work, against, figure, { middle, low, high }, goal, more = '', reached = middle <= goal) {
  table.push(`| ${work} | ${against} | ${figure} | ${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}) | ${goal.toFixed(2)} | ${more} | ${reached ? 'yes' : 'no'} |`);
  console.error(table.at(-1));
}

async function cpuRow(work, ours, against, peer, goal, measure = storm) {
  await measure(ours, -1); // warm
  await measure(peer, -2);
  const results = await pairs(ROUNDS, (round) => measure(ours, round), (round) => measure(peer, round + 1000));
  const rate = ratios(results, 'rate');
  const each = median(results.map(([result]) => result.cpu));
  row(work, against, 'CPU a request', ratios(results, 'cpu'), goal, `${rate.middle.toFixed(2)} × the requests a second; ${each.toFixed(1)} µs`);
}

async function latencyRow(ours, peers, rate) {
  const candidates = [];
  for (const peer of peers) {
    const results = await pairs(PACE_PAIRS, () => pace(ours, rate), () => pace(peer, rate));
    candidates.push({ peer, results, p99: median(results.map(([, result]) => result.p99)) });
  }
  const { peer, results } = candidates.sort((a, b) => a.p99 - b.p99)[0];
  const values = results.map(([mine, theirs]) => mine.p99 / theirs.p99);
  const [low, high] = interval(values);
  const each = median(results.map(([mine]) => mine.p99));
  // The goal is met, too, when an interval of 95 % of the ratios includes 1.
  row(`p99 at ${rate}/s, open loop`, `${peer.name} (the better)`, 'latency', { middle: median(values), low, high }, 1, `${each.toFixed(0)} µs; 95 % interval`, low <= 1);
}

async function hold(target) {
  const holder = spawn(join(bench.programs, 'idle'), [target.port, target.path, bench.file('token'), STREAMS, ...(target.tls ? ['tls'] : [])].map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((done, fail) => {
    holder.stdout.once('data', done);
    holder.once('exit', (code) => fail(new Error(`idle streams of ${target.name}: ${code}`)));
  });
  return () => new Promise((done) => {
    holder.removeAllListeners('exit');
    holder.once('exit', done);
    holder.stdin.end();
  });
}

// KiB a stream, and what stays when the streams end, as a part of what was there before. The first streams only use up what
// the allocator had left from earlier work: those that come on top of them are measured.
async function memory(target) {
  await storm(target);
  const before = target.memory();
  const first = await hold(target);
  await pause(1000); // allocators and kernels settle
  const full = target.memory();
  const second = await hold(target);
  await pause(1000);
  const held = target.memory();
  await first();
  await second();
  await pause(2000);
  return { each: (held - full) / STREAMS, left: target.memory() / before };
}

async function memoryRow(work, target, goal) {
  const { each, left } = await memory(target);
  row(work, '', 'KiB a stream', { middle: each, low: each, high: each }, goal);
  row(`${work}: when they ended`, 'before they began', 'memory', { middle: left, low: left, high: left }, 1.1);
}

async function eventRow(ours, peers) {
  const candidates = [];
  for (const peer of peers) {
    const results = await pairs(EVENT_PAIRS, () => events(ours), () => events(peer));
    candidates.push({ peer, results, p50: median(results.map(([, result]) => result.p50)) });
  }
  const { peer, results } = candidates.sort((a, b) => a.p50 - b.p50)[0];
  for (const key of ['p50', 'p99'])
    row(`SSE event, 64 streams, 10 ms apart: ${key}`, `${peer.name} (the better)`, 'delay', ratios(results, key), 1, `${median(results.map(([mine]) => mine[key])).toFixed(0)} µs`);
}

async function scalingRow() {
  const measure = async (one, two) => (await storm(two)).rate / (await storm(one)).rate;
  const gates = [await bench.gate('one', bench.port.one, { workers: 1, cpu: '0-1' }), await bench.gate('two', bench.port.two, { workers: 2, cpu: '0-1' })];
  const proxies = [await bench.haproxy('haproxy-one', bench.port.haproxyOne, { cpu: '0-1' }), await bench.haproxy('haproxy-two', bench.port.haproxyTwo, { threads: 2, cpu: '0-1' })];
  const values = [];
  for (let round = 0; round < ROUNDS; round++)
    values.push(await measure(proxies[0].plain, proxies[1].plain) / await measure(gates[0].plain, gates[1].plain));
  row('two workers, both cores shared with the load', 'HAProxy, two threads', '1/gain', spread(values), 1);
  for (const { plain } of [...gates, ...proxies]) await bench.stop(plain);
}

// What the gate's own look-ups cost, of the least store and of the largest.
async function flatRow() {
  const { stdout } = await run(join(here, 'flat_cost.sh'), [join(bench.programs, 'flat_cost')], { env: { ...process.env, SIZES: '1:1 10000:1000000' } }).catch((error) => error);
  const [least, most] = [...stdout.matchAll(/(\d+) instructions a request/g)].map(([, count]) => Number(count));
  if (most === undefined) throw new Error(stdout);
  const ratio = most / least;
  row('look-ups of a request: 10 000 apps and configs, 1 000 000 sessions', '1 and 1', 'instructions', { middle: ratio, low: ratio, high: ratio }, 1.03, `${most} instructions`);
}

let tokenFiles = 0;
function freshTokens(target) {
  return fresh(target, bench.tokens(`tokens-${tokenFiles++}`, NEW_TOKENS));
}

const rows = {
  async calls({ gate, floor, nginx, haproxy }) {
    await cpuRow('tools/call, known session, role policy', gate.plain, 'the floor', floor, 1.25);
    await cpuRow('the same', gate.plain, 'nginx, no authentication', nginx.plain, 0.9);
    await cpuRow('the same', gate.plain, 'HAProxy, no authentication', haproxy.plain, 0.95);
    await cpuRow('the same', gate.plain, 'HAProxy, jwt_verify RS256 and claims', haproxy.verify, 0.3);
  },
  async verify({ haproxy }) {
    const strict = await bench.gate('strict', bench.port.strict, { gate: { session_cache: false } });
    await cpuRow('the same, signature checked at every request', strict.plain, 'HAProxy, jwt_verify RS256 and claims', haproxy.verify, 0.8);
    await bench.stop(strict.plain);
  },
  async tls({ gate, haproxy }) {
    await cpuRow('the same over TLS 1.3', gate.tls, 'HAProxy TLS, no authentication', haproxy.tls, 1);
  },
  async fresh({ gate, haproxy }) {
    await cpuRow('a new token in every request', gate.plain, 'HAProxy, jwt_verify RS256 and claims', haproxy.verify, 0.9, freshTokens);
  },
  scaling: scalingRow,
  flat: flatRow,
  async latency({ gate, nginx, haproxy }) {
    for (const rate of [2000, 5000, 10000]) await latencyRow(gate.plain, [nginx.plain, haproxy.plain], rate);
  },
  async events({ gate, nginx, haproxy }) {
    await eventRow(gate.plain, [nginx.plain, haproxy.plain]);
  },
  async memory({ gate }) {
    await memoryRow('idle stream, plain', gate.plain, 1.5);
    await memoryRow('idle stream, TLS', gate.tls, 16);
  },
};

async function main() {
  for (const name of ['upstream', 'floor', 'gate', 'strict', 'one', 'two', 'nginx', 'haproxy', 'haproxyOne', 'haproxyTwo']) {
    // Each has its neighbours' ports, too: TLS and the like.
    do bench.port[name] = await freePort();
    while (Object.entries(bench.port).some(([other, port]) => other !== name && Math.abs(port - bench.port[name]) < 4));
  }
  bench.prepare();
  await bench.upstream();
  const targets = { gate: await bench.gate('gate', bench.port.gate), floor: await bench.floor(), nginx: await bench.nginx(), haproxy: await bench.haproxy('haproxy', bench.port.haproxy) };
  table.push('| work | against | figure | measured (from to) | goal | beside it | reached |', '|---|---|---|---|---|---|---|');
  for (const [name, measure] of Object.entries(rows))
    if (wanted === undefined || wanted.includes(name)) await measure(targets);
}

try {
  await main();
  console.log(table.join('\n'));
  if (options.out !== undefined) writeFileSync(options.out, `${table.join('\n')}\n`);
} finally {
  await bench.stopAll();
  rmSync(directory, { recursive: true, force: true });
}
