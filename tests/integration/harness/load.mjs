// Clients that ask without pause, each on a connection of its own, until told to stop, or until their test
// ends: what goes on after a failure would slow all that follows down. Of each request that failed it is
// known when it began, and when its connection was made.

import { Agent } from 'node:http';
import { post } from './http.mjs';

export class Load {
  // ask(agent) sends one request and gives its status.
  constructor(t, clients, ask) {
    this.done = [];
    this.failures = [];
    this.stopped = false;
    t.after(() => (this.stopped = true));
    this.loops = Array.from({ length: clients }, () => this.loop(ask));
  }

  static posting(t, clients, url, tokens) {
    let turn = 0;
    return new Load(t, clients, async (agent) => (await post(url, tokens[turn++ % tokens.length], { agent })).status);
  }

  async loop(ask) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let connected;
    const { createConnection } = agent;
    agent.createConnection = (...args) => {
      connected = performance.now();
      return createConnection.apply(agent, args);
    };
    while (!this.stopped) {
      const started = performance.now();
      try {
        const status = await ask(agent);
        const ended = performance.now();
        if (status === 200) this.done.push({ started, ended });
        else this.failures.push({ started, ended, connected, status });
      } catch (error) {
        this.failures.push({ started, ended: performance.now(), connected, code: error.code ?? error.message });
      }
    }
    agent.destroy();
  }

  async stop() {
    this.stopped = true;
    await Promise.all(this.loops);
  }
}
