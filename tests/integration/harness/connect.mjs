// `gatehouse connect`, spoken to line by line.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { GATEHOUSE } from './gateway.mjs';
import { waitFor } from './wait.mjs';

export class Connect {
  static start(t, args, { env = {} } = {}) {
    const connect = new Connect();
    connect.child = spawn(GATEHOUSE, ['connect', ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    connect.stdout = '';
    connect.stderr = '';
    connect.ids = 0;
    connect.child.stdin.on('error', () => {});
    connect.child.stdout.setEncoding('utf8').on('data', (text) => (connect.stdout += text));
    connect.child.stderr.setEncoding('utf8').on('data', (text) => (connect.stderr += text));
    connect.exited = new Promise((resolve) => {
      connect.child.once('close', (status, signal) => resolve({ status, signal }));
    });
    t.after(async () => {
      connect.child.kill('SIGKILL');
      await connect.exited;
      assert.doesNotMatch(connect.stderr, /ERROR: \w+Sanitizer|runtime error: /);
    });
    return connect;
  }

  // Whole lines, as messages: a line that is none fails the test.
  get messages() {
    return this.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  }

  get commandLine() {
    return readFileSync(`/proc/${this.child.pid}/cmdline`, 'latin1');
  }

  send(message) {
    this.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  async answer(id) {
    return waitFor(`the answer to ${id}\n${this.stderr}`,
      () => this.messages.find((message) => message.id === id && message.method === undefined), { deadline: 40_000 });
  }

  // A request and its answer.
  async request(method, params = {}) {
    this.ids += 1;
    const id = this.ids;
    this.send({ id, method, params });
    return this.answer(id);
  }

  async initialize(capabilities = {}) {
    const answer = await this.request('initialize', { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'test', version: '1' } });
    assert.ok(answer.result, JSON.stringify(answer));
    this.send({ method: 'notifications/initialized' });
    return answer.result;
  }

  // Closes its input, as a client does that leaves.
  async leave() {
    this.child.stdin.end();
    return this.exited;
  }
}
