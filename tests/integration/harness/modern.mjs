// A server of MCP 2026-07-28 by the SDK, in this process: tools whose calls repeat arguments in
// headers. What `intercept` answers (a JSON-RPC result, error or whole response) the SDK does not see.

import { createServer } from 'node:http';
import { McpServer, createMcpHandler, fromJsonSchema } from '@modelcontextprotocol/server';
import { body } from './upstream.mjs';

export const PLACE = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    count: { type: 'integer', 'x-mcp-header': 'Count' },
    dry: { type: 'boolean', 'x-mcp-header': 'Dry-Run' },
    at: { type: 'object', properties: { zone: { type: ['string'], title: 'no annotation' }, rack: { type: 'string', 'x-mcp-header': 'Rack' } } },
    note: { type: 'string' },
  },
};

export class ModernServer {
  // `schemas`: name -> inputSchema, read at every request.
  static async start(t, { schemas = { place: PLACE, plain: { type: 'object', properties: { region: { type: 'string' } } } }, intercept, responseMode } = {}) {
    const server = new ModernServer();
    Object.assign(server, { schemas, requests: [], intercept });
    server.handler = createMcpHandler(() => server.#make(), { responseMode });
    server.http = createServer(async (incoming, outgoing) => {
      try {
        await server.#serve(incoming, outgoing);
      } catch (error) {
        outgoing.destroy(error);
      }
    });
    await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
    t.after(async () => {
      await server.handler.close();
      server.http.closeAllConnections();
      server.http.close();
    });
    return server;
  }

  get port() {
    return this.http.address().port;
  }

  get uri() {
    return `mcp+http://127.0.0.1:${this.port}/mcp`;
  }

  #make() {
    const server = new McpServer({ name: 'modern', version: '1.0.0' }, { capabilities: { tools: {} } });
    for (const [name, schema] of Object.entries(this.schemas)) {
      server.registerTool(name, { description: name, inputSchema: fromJsonSchema(schema) }, async (given) => ({ content: [{ type: 'text', text: JSON.stringify(given) }] }));
    }
    return server;
  }

  async #serve(incoming, outgoing) {
    const text = await body(incoming);
    const message = JSON.parse(text || 'null');
    this.requests.push({ headers: incoming.headers, message });
    const own = await this.intercept?.(message, incoming, outgoing);
    if (own === true) return;
    if (own !== undefined) {
      outgoing.writeHead(200, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...own }));
      return;
    }
    const headers = new Headers();
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) headers.append(incoming.rawHeaders[i], incoming.rawHeaders[i + 1]);
    const response = await this.handler.fetch(new Request(`http://127.0.0.1:${this.port}${incoming.url}`, { method: incoming.method, headers, body: text || undefined }));
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    for await (const chunk of response.body ?? []) outgoing.write(chunk);
    outgoing.end();
  }
}

export const MODERN = '2026-07-28';

// A message of that revision, and the headers that it asks for.
export function modern(method, params = {}, { id = 7, extensions, name = params.name ?? params.uri ?? params.taskId, headers = {} } = {}) {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': extensions === undefined ? {} : { extensions },
  };
  return {
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } }),
    headers: { 'mcp-protocol-version': MODERN, 'mcp-method': method, ...(name === undefined ? {} : { 'mcp-name': name }), ...headers },
  };
}
