// Programs that a test starts: their output kept, each stopped by its pid, whatever happens.

import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { patience, waitFor } from './wait.mjs';

const running = new Set();

// Ends at once: left to itself, node may wait for ever for requests on pipes whose programs died
// (Environment::CleanupHandles, seen in 20.20).
process.on('exit', () => {
  for (const program of running) program.kill('SIGKILL');
  process.exit();
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => process.exit(1));
}

export class Program {
  constructor(command, args, options = {}) {
    this.name = options.name ?? command;
    this.output = '';
    this.stdout = '';
    this.child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
    });
    running.add(this);
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
      this.output += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.output += text));
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.output += String(error);
        running.delete(this);
        resolve({ status: 127, signal: null });
      });
      this.child.once('close', (status, signal) => {
        running.delete(this);
        this.ended = { status, signal };
        resolve(this.ended);
      });
    });
  }

  get pid() {
    return this.child.pid;
  }

  kill(signal = 'SIGTERM') {
    try {
      return this.child.kill(signal);
    } catch {
      return false;
    }
  }

  // Waits until the output matches; fails at once when the program ends before.
  async says(pattern, deadline = 15_000) {
    await waitFor(`${this.name} to say ${pattern}`, () => pattern.test(this.output) || this.ended, { deadline })
      .catch((error) => {
        throw new Error(`${error.message}\n${this.output}`);
      });
    const match = pattern.exec(this.output);
    if (!match) throw new Error(`${this.name} ended ${JSON.stringify(this.ended)} without ${pattern}\n${this.output}`);
    return match;
  }

  async stop(deadline = 10_000 * patience) {
    if (this.ended) return this.ended;
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), deadline);
    const ended = await this.exited;
    clearTimeout(timer);
    return ended;
  }
}

// Runs a command to its end: { status, signal, stdout, output }.
export async function run(command, args, options = {}) {
  const program = new Program(command, args, options);
  const timer = setTimeout(() => program.kill('SIGKILL'), options.deadline ?? 60_000 * patience);
  const { status, signal } = await program.exited;
  clearTimeout(timer);
  return { status, signal, stdout: program.stdout, output: program.output };
}

// What /proc knows of a process; undefined when it is gone or a zombie.
export function processOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    const after = (flag) => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
    return {
      pid,
      state: fields[0],
      parent: Number(fields[1]),
      started: Number(fields[19]),
      role: after('--role'),
      slot: after('--slot') === undefined ? undefined : Number(after('--slot')),
    };
  } catch {
    return undefined;
  }
}

export function childrenOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processOf(Number(name)))
    .filter((found) => found?.parent === pid);
}

export function alive(pid) {
  return processOf(pid) !== undefined;
}

// Memory of a process that is not shared with files, in bytes.
export function privateMemory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(status);
  return Number(match[1]) * 1024;
}

