// TCP on loopback, passed on as it comes, until a test shuts it.

import { connect, createServer } from 'node:net';

export class Relay {
  // To `port` of 127.0.0.1, which may be set later: relay.to.
  static async start(t, port) {
    const relay = new Relay();
    relay.to = port;
    relay.sockets = new Set();
    relay.server = createServer({ noDelay: true }, (socket) => relay.pass(socket));
    await new Promise((resolve) => relay.server.listen(0, '127.0.0.1', resolve));
    t.after(() => relay.stop());
    return relay;
  }

  get origin() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  pass(socket) {
    if (this.isShut) {
      socket.resetAndDestroy();
      return;
    }
    const other = connect({ port: this.to, host: '127.0.0.1', noDelay: true });
    for (const [from, to] of [[socket, other], [other, socket]]) {
      this.sockets.add(from);
      from.on('error', () => {});
      from.once('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }

  // Resets every connection, both ways, and each new one until open().
  shut() {
    this.isShut = true;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  open() {
    this.isShut = false;
  }

  async stop() {
    this.shut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
