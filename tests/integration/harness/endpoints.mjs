// Servers of an app with several endpoints, which tests kill, and a gateway before them.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Gateway, authConfig } from './gateway.mjs';
import { post } from './http.mjs';
import { Issuer } from './issuer.mjs';
import { processOf } from './process.mjs';
import { waitFor } from './wait.mjs';

const ISSUER = 'https://one.example.com';

// The kernel's TCP sockets at either side of a port: [{ local, remote (ports), state, sent (not yet acknowledged),
// unread }], in bytes; a listener's `unread` is its connections that nobody has accepted.
function tcpSockets(port) {
  const number = (address) => parseInt(address.split(':')[1], 16);
  const named = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  return readFileSync('/proc/net/tcp', 'utf8').split('\n').filter((line) => line.includes(named)).map((line) => {
    const [, local, remote, state, queues] = line.trim().split(/\s+/);
    const [sent, unread] = queues.split(':').map((size) => parseInt(size, 16));
    return { local: number(local), remote: number(remote), state, sent, unread };
  });
}

// Answers each POST with its JSON-RPC id, on bare connections, so that it knows at every moment what it
// has read in full. `received`: how often each id was, by all servers that share it.
export class Server {
  static async start(received, port = 0) {
    const server = new Server();
    server.received = received;
    await server.listen(port);
    return server;
  }

  async listen(port) {
    this.own = 0;
    this.mute = false;
    this.unanswered = new Set();
    this.sockets = new Set();
    this.listener = createServer((socket) => this.serve(socket));
    await new Promise((resolve) => this.listener.listen(port, '127.0.0.1', resolve));
    this.port = this.listener.address().port;
    this.uri = `mcp+http://127.0.0.1:${this.port}/mcp`;
  }

  serve(socket) {
    let held = '';
    let end = 0; // of the request that is being read, as far as it is known
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (text) => {
      held += text;
      while (held.length >= Math.max(end, 1)) {
        const head = held.indexOf('\r\n\r\n') + 4;
        if (head < 4) return;
        end = head + Number(/^content-length: *(\d+)/im.exec(held.slice(0, head))?.[1] ?? 0);
        if (held.length < end) return;
        this.answer(socket, JSON.parse(held.slice(head, end)).id);
        held = held.slice(end);
        end = 0;
      }
    });
  }

  answer(socket, id) {
    this.own += 1;
    this.received.set(id, (this.received.get(id) ?? 0) + 1);
    if (this.mute) {
      this.unanswered.add(id);
      return;
    }
    const body = JSON.stringify({ jsonrpc: '2.0', id, result: { port: this.port } });
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  }

  // As kill -9 does: at once, the port closes, and every connection with it.
  async kill() {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  // Dies while it runs requests, and while the gate's workers stand still: so all that they sent until
  // then was read here, in full. The ids of what was never answered.
  async killWorking(gate) {
    this.mute = true;
    await waitFor('requests that will not be answered', () => this.unanswered.size > 0);
    const workers = gate.children('worker').map(({ pid }) => pid);
    try {
      for (const pid of workers) process.kill(pid, 'SIGSTOP');
      await waitFor('the workers to stand still', () => workers.every((pid) => processOf(pid)?.state === 'T'));
      await waitFor('all that was sent to be read', () => tcpSockets(this.port).every(({ local, remote, sent, unread }) => (
        (remote !== this.port || sent === 0) && (local !== this.port || unread === 0))));
      await this.kill();
    } finally {
      for (const pid of workers) process.kill(pid, 'SIGCONT');
    }
    return this.unanswered;
  }

  revive() {
    return this.listen(this.port);
  }
}

export async function servers(t, count) {
  const received = new Map();
  const list = await Promise.all(Array.from({ length: count }, () => Server.start(received)));
  t.after(() => Promise.all(list.map((server) => server.kill())));
  return { list, received };
}

// A server of raw connections: what it does with each is the test's.
export async function rawServer(t, handle) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    handle(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.uri = `mcp+http://127.0.0.1:${server.address().port}/mcp`;
  return server;
}

// The app `app` of some servers.
export const several = (list, more = {}) => [{ name: 'app', endpoints: list.map(({ uri }) => uri), ...more }];

// A gateway with an issuer, and one who asks `app`: ask({ method, params, and options of post }).
export async function setUp(t, apps, options = {}) {
  const issuer = await Issuer.make(ISSUER);
  const gate = await Gateway.start(t, { apps, resources: { 'issuer.yaml': [authConfig('issuer', issuer)] }, ...options });
  const token = await issuer.token(gate.url('app'));
  let ids = 0;
  const ask = ({ method = 'ping', params, ...more } = {}) => {
    ids += 1;
    return post(gate.url('app'), token, { body: JSON.stringify({ jsonrpc: '2.0', id: ids, method, params }), ...more });
  };
  return { gate, issuer, token, ask, url: gate.url('app') };
}
