// Where a worker's time goes, under the load of the bench: `make profile`.
//
//   profile.mjs PROGRAMS [--work calls|verify|fresh] [--seconds 5] [--top 30]
//
// The hottest functions of user space and kernel (perf record, by the CPU clock, which virtual machines have too), and the system calls a request
// (strace -c, in a run of its own, since it slows what it counts). calls: one known token; verify: the same, signature checked at every request;
// fresh: a new token in every request.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../integration/harness/ports.mjs';
import { waitFor } from '../integration/harness/wait.mjs';
import { Bench } from './targets.mjs';

const { values: options, positionals: [programs] } = parseArgs({
  allowPositionals: true,
  options: { work: { type: 'string', default: 'calls' }, seconds: { type: 'string', default: '5' }, top: { type: 'string', default: '30' } },
});
const CONNECTIONS = 64;
const RATE = 8000; // requests a second that any work reaches, about
const count = Number(options.seconds) * RATE;
const directory = mkdtempSync(join(tmpdir(), 'gatehouse-profile-'));
const bench = new Bench(directory, programs, { upstream: await freePort(), gate: await freePort() });

function requests(name) {
  if (options.work === 'fresh') bench.tokens(name, count);
  else bench.file(name, `${bench.token}\n`.repeat(count));
}

function workerOf(target) {
  return target.pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').includes('--role worker'));
}

// Runs the load while a tool looks at the worker. `attached`: whether it does by now.
async function watched(target, command, args, attached) {
  const tool = spawn(command, [...args, '-p', String(workerOf(target))], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  tool.stderr.on('data', (data) => { said += data; });
  const ended = new Promise((done) => tool.once('exit', done));
  await waitFor(`${command} to attach`, () => attached() || tool.exitCode !== null);
  if (tool.exitCode !== null) throw new Error(`${command}: ${said}`);
  const before = target.cpu();
  await bench.pace(target, 'many', CONNECTIONS);
  const spent = (target.cpu() - before) / 1e3 / count;
  tool.kill('SIGINT');
  await ended;
  return spent;
}

function traced(target) {
  return !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${workerOf(target)}/status`, 'utf8'));
}

try {
  bench.prepare();
  await bench.upstream();
  const { plain } = await bench.gate('gate', bench.port.gate, { gate: options.work === 'verify' ? { session_cache: false } : {} });
  requests('many');
  const spent = await watched(plain, 'perf', ['record', '-q', '-e', 'cpu-clock', '-F', '4000', '-o', 'perf.data'], () => existsSync(join(directory, 'perf.data')));
  const report = execFileSync('perf', ['report', '-i', 'perf.data', '--stdio', '-g', 'none', '--sort', 'dso,symbol'], { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = report.split('\n').filter((line) => /^ +\d/.test(line)).map((line) => line.replace(/[-\s]+$/, ''));
  console.log(`${count} requests, ${options.work}, ${CONNECTIONS} connections: ${spent.toFixed(1)} µs of CPU each, watched\n`);
  console.log(lines.slice(0, Number(options.top)).join('\n'));
  requests('many');
  await watched(plain, 'strace', ['-c', '-f', '-o', 'calls'], () => traced(plain));
  const calls = readFileSync(join(directory, 'calls'), 'utf8').split('\n').map((line) => /^ *[\d.]+ +[\d.]+ +\d+ +(\d+) .*?(\w+)$/.exec(line)).filter((line) => line !== null && line[2] !== 'total');
  console.log('\nsystem calls a request');
  for (const [, times, name] of calls)
    if (times / count >= 0.001) console.log(`${(times / count).toFixed(3).padStart(8)}  ${name}`);
} finally {
  await bench.stopAll();
  rmSync(directory, { recursive: true, force: true });
}
