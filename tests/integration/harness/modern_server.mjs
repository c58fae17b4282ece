// A server of 2026-07-28 in the test's own process, on the SDK: for what server-everything, which is
// older, cannot do. It answers legacy clients too, without sessions.

import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ProtocolError, Server, createMcpHandler, inputRequired, inputResponse } from '@modelcontextprotocol/server';

const text = (value) => ({ content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] });
const noArguments = { type: 'object', properties: {} };
const uri = 'note://one';

export class ModernServer {
  static async start(t) {
    const server = new ModernServer();
    server.aborted = 0; // calls whose client went away
    server.handler = createMcpHandler(() => server.make(), { onerror: () => {} });
    server.http = createServer((request, response) => server.serve(request, response).catch(() => response.destroy()));
    await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
    t.after(() => server.stop());
    server.port = server.http.address().port;
    server.uri = `mcp+http://127.0.0.1:${server.port}/mcp`;
    return server;
  }

  async serve(request, response) {
    const controller = new AbortController();
    response.once('close', () => controller.abort());
    const body = request.method === 'POST' ? Readable.toWeb(request) : undefined;
    const headers = Object.entries(request.headers).filter(([, value]) => typeof value === 'string');
    const answer = await this.handler.fetch(new Request(`http://${request.headers.host}${request.url}`,
      { method: request.method, headers, body, duplex: 'half', signal: controller.signal }));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.flushHeaders();
    if (answer.body) await pipeline(Readable.fromWeb(answer.body), response);
    else response.end();
  }

  get tools() {
    return {
      where: {
        inputSchema: {
          type: 'object',
          properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, count: { type: 'integer', 'x-mcp-header': 'Count' } },
        },
        run: (args) => text(args),
      },
      ask: {
        inputSchema: noArguments,
        run: (_, { inputResponses }) => {
          const answer = inputResponse(inputResponses, 'who');
          if (answer.kind !== 'missing') return text(answer);
          const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
          return inputRequired({ inputRequests: { who: inputRequired.elicit({ message: 'Who "are" you?', requestedSchema }) } });
        },
      },
      think: {
        inputSchema: noArguments,
        run: (_, { inputResponses }) => {
          const answer = inputResponse(inputResponses, 'thought');
          if (answer.kind !== 'missing') return text(answer);
          const messages = [{ role: 'user', content: { type: 'text', text: 'why?' } }];
          return inputRequired({ inputRequests: { thought: inputRequired.createMessage({ messages, maxTokens: 10 }), roots: inputRequired.listRoots() } });
        },
      },
      count: {
        inputSchema: noArguments,
        run: async (_, { _meta, notify }) => {
          for (let progress = 1; progress <= 3; progress++) {
            await notify({ method: 'notifications/progress', params: { progressToken: _meta.progressToken, progress, total: 3 } });
          }
          return text('three');
        },
      },
      fail: {
        inputSchema: noArguments,
        run: () => {
          throw new ProtocolError(-31000, 'it failed', { why: 'it does' });
        },
      },
      wait: {
        inputSchema: noArguments,
        run: async (_, { _meta, notify, signal }) => {
          signal.addEventListener('abort', () => this.aborted++);
          await notify({ method: 'notifications/progress', params: { progressToken: _meta.progressToken, progress: 1 } });
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          return text('too late');
        },
      },
      change: {
        inputSchema: noArguments,
        run: () => {
          this.handler.notify.resourceUpdated('note://two');
          this.handler.notify.resourceUpdated(uri);
          return text('changed');
        },
      },
    };
  }

  make() {
    const server = new Server({ name: 'modern', version: '1.0.0' }, {
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true } },
      instructions: 'ask',
    });
    const { tools } = this;
    const names = Object.keys(tools);
    // Two tools a page.
    server.setRequestHandler('tools/list', ({ params }) => {
      const from = params?.cursor === undefined ? 0 : Number(params.cursor);
      return {
        tools: names.slice(from, from + 2).map((name) => ({ name, inputSchema: tools[name].inputSchema, _meta: { 'example.com/kept': [1, 2.5, null] } })),
        ...(from + 2 < names.length ? { nextCursor: String(from + 2) } : {}),
        ttlMs: 0, cacheScope: 'public',
      };
    });
    server.setRequestHandler('tools/call', ({ params }, { mcpReq }) => {
      const tool = tools[params.name];
      if (!tool) throw new ProtocolError(-32602, `Unknown tool: ${params.name}`);
      return tool.run(params.arguments, mcpReq);
    });
    server.setRequestHandler('resources/list', () => ({ resources: [{ uri, name: 'one' }], ttlMs: 0, cacheScope: 'private' }));
    server.setRequestHandler('resources/read', ({ params }) => ({ contents: [{ uri: params.uri, text: 'a note' }], ttlMs: 0, cacheScope: 'private' }));
    return server;
  }

  async stop() {
    await this.handler.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}
