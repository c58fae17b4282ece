// An MCP server that keeps sessions, as strictly as the specification reads, and that can be lost:
// kill() closes its port and every connection, as kill -9 does, and revive() begins with no session.

import { randomUUID } from 'node:crypto';
import { Upstream, body } from './upstream.mjs';

export class SessionServer {
  // options: serverInfo, capabilities, version (of the protocol); `stream`: initialize is answered by an
  // event stream, which ends unless server.open; `unknown`: what is answered to a session that it does not know, [status, text];
  // `before(message, response, server)`: true when it has answered itself; `headers`, of each answer.
  static async start(t, name, options = {}) {
    const server = new SessionServer();
    Object.assign(server, { name, options, began: 0, ended: [], calls: [], requests: [] });
    await server.listen(0);
    t.after(() => server.kill());
    return server;
  }

  async listen(port) {
    this.sessions = new Map();
    this.streams = new Set();
    this.sockets = new Set();
    this.upstream = await Upstream.start((request, response) => this.handle(request, response), port);
    this.port = this.upstream.port;
    this.uri = this.upstream.uri;
    this.upstream.http.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.listening = true;
  }

  async kill() {
    if (!this.listening) return;
    this.listening = false;
    const closed = new Promise((resolve) => this.upstream.http.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  revive() {
    return this.listen(this.port);
  }

  // Sends a notification on every open stream.
  notify(data) {
    for (const stream of this.streams) stream.write(`id: ${this.name}-1\ndata: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } })}\n\n`);
  }

  json(response, status, value, headers = {}) {
    const text = JSON.stringify(value);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'x-server': this.name, ...this.options.headers, ...headers });
    response.end(text);
  }

  initialize(response, id) {
    const session = this.options.makeId?.(this.began) ?? randomUUID();
    const result = {
      protocolVersion: this.options.version ?? '2025-11-25',
      capabilities: this.options.capabilities ?? { tools: {}, logging: {} },
      serverInfo: this.options.serverInfo ?? { name: 'server', version: '1' },
      instructions: `I am ${this.name}`,
    };
    this.began += 1;
    this.sessions.set(session, { initialized: false });
    if (!this.options.stream) return this.json(response, 200, { jsonrpc: '2.0', id, result }, { 'mcp-session-id': session });
    response.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': session, 'x-server': this.name });
    response.write(`id: 0\ndata:\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } })}\n\n`);
    response.write(`id: 1\nevent: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`);
    // Who has its answer need not wait for the end.
    return this.open ? undefined : response.end();
  }

  async handle(request, response) {
    const text = await body(request);
    const message = text === '' ? {} : JSON.parse(text);
    const id = request.headers['mcp-session-id'];
    this.requests.push({ method: request.method, headers: request.headers, message, id });
    if (await this.options.before?.(message, response, this, request)) return undefined;
    if (message.method === 'initialize') return this.initialize(response, message.id);
    const session = this.sessions.get(id);
    if (session === undefined) {
      const [status, answer] = this.options.unknown ?? [404, { jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null }];
      if (typeof answer !== 'string') return this.json(response, status, answer);
      return response.writeHead(status, { 'content-type': 'text/plain', 'content-length': answer.length }).end(answer);
    }
    if (request.method === 'DELETE') {
      this.sessions.delete(id);
      this.ended.push(id);
      return response.writeHead(204, { 'mcp-session-id': id }).end();
    }
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': id, 'x-server': this.name });
      response.write(`id: ${this.name}-0\ndata:\n\n`);
      this.streams.add(response);
      response.on('close', () => this.streams.delete(response));
      return undefined;
    }
    if (message.method === 'notifications/initialized') {
      session.initialized = true;
      return response.writeHead(202).end();
    }
    if (!session.initialized) return this.json(response, 400, { jsonrpc: '2.0', error: { code: -32000, message: 'Bad Request: not initialized' }, id: null });
    if (message.id === undefined) return response.writeHead(202).end();
    this.calls.push(message.id);
    return this.json(response, 200, { jsonrpc: '2.0', id: message.id, result: message.method === 'tools/call' ? { content: [{ type: 'text', text: this.name }] } : {} },
      { 'mcp-session-id': id });
  }
}
