// A fake app server on loopback. By default it answers what it was sent; `handler` changes that.

import { createServer } from 'node:http';

export class Upstream {
  static async start(handler, port = 0) {
    const upstream = new Upstream();
    upstream.requests = [];
    upstream.handler = handler ?? upstream.echo;
    upstream.http = createServer({ keepAliveTimeout: 30_000, requestTimeout: 0 }, async (request, response) => {
      const seen = {
        method: request.method,
        url: request.url,
        headers: request.headers,
        rawHeaders: request.rawHeaders,
        port: request.socket.remotePort,
      };
      upstream.requests.push(seen);
      try {
        await upstream.handler(request, response, seen);
      } catch (error) {
        response.destroy(error);
      }
    });
    upstream.http.on('clientError', (_, socket) => socket.destroy());
    await new Promise((resolve) => upstream.http.listen(port, '127.0.0.1', resolve));
    return upstream;
  }

  get port() {
    return this.http.address().port;
  }

  get uri() {
    return `mcp+http://127.0.0.1:${this.port}/mcp`;
  }

  async echo(request, response, seen) {
    seen.body = await body(request);
    response.writeHead(200, { 'content-type': 'application/json' });
    const id = parsed(seen.body)?.id ?? null;
    const result = { method: seen.method, url: seen.url, headers: seen.headers, body: seen.body };
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }

  async stop() {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}

export async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
