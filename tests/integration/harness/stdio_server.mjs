// A stdio MCP server for tests, of both eras: echoes, counts, asks, crashes, says who it is.
// `ERA=legacy` and `ERA=modern` know one era alone. Writes nothing but what it is asked for.

import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';

const MODERN = '2026-07-28';
const identity = randomUUID(); // a pid says nothing: namespaces have their own
const era = process.env.ERA ?? 'both';
const asked = new Map();
const cancelled = new Set();
let asks = 0;

const write = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const text = (words, more = {}) => ({ content: [{ type: 'text', text: String(words) }], ...more });

const tools = ['echo', 'who', 'count', 'ask', 'crash', 'garbage', 'complain', 'changed', 'large', 'cancelled']
  .map((name) => ({ name, inputSchema: { type: 'object' } }));

async function count(id, { to, delay = 0 }, token) {
  for (let at = 1; at <= to; at++) {
    await wait(delay);
    if (cancelled.has(id)) return undefined;
    if (token !== undefined) write({ method: 'notifications/progress', params: { progressToken: token, progress: at, total: to } });
  }
  return text(`counted to ${to}`);
}

function ask(method, params) {
  const id = `ask-${++asks}`;
  write({ id, method, params });
  return new Promise((resolve) => asked.set(id, resolve));
}

async function call(id, { name, arguments: given = {}, _meta = {} }) {
  switch (name) {
    case 'echo':
      return text(given.message);
    case 'who':
      return text(identity);
    case 'count':
      return count(id, given, _meta.progressToken);
    case 'ask':
      return text(JSON.stringify(await ask(given.method, given.params ?? {})));
    case 'crash':
      process.stderr.write('last words: I must go\n', () => process.exit(3));
      return undefined;
    case 'garbage':
      process.stdout.write('this is no message\n\n{"half":\n');
      return text('said it');
    case 'complain':
      for (let i = 0; i < given.lines; i++) process.stderr.write(`complaint ${i}\n`);
      return text('complained');
    case 'changed':
      write({ method: 'notifications/tools/list_changed' });
      return text('told');
    case 'large':
      return text('x'.repeat(given.size));
    case 'cancelled':
      return text([...cancelled].length);
    default:
      throw Object.assign(new Error(`Unknown tool: ${name}`), { code: -32602 });
  }
}

async function answer({ id, method, params = {} }) {
  const modern = params._meta?.['io.modelcontextprotocol/protocolVersion'] !== undefined;
  const complete = (result) => (modern && result !== undefined ? { resultType: 'complete', ...result } : result);
  if ((modern && era === 'legacy') || (!modern && era === 'modern')) {
    throw Object.assign(new Error('Unsupported protocol version'), { code: modern ? -32601 : -32022, data: { supported: [MODERN] } });
  }
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: params.protocolVersion,
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: 'test-stdio', version: '1' },
      };
    case 'server/discover':
      return complete({
        supportedVersions: [MODERN], capabilities: { tools: {} }, ttlMs: 0, cacheScope: 'private',
        _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'test-stdio', version: '1' } },
      });
    case 'ping':
      return {};
    case 'tools/list':
      return complete({ tools, ...(modern ? { ttlMs: 0, cacheScope: 'private' } : {}) });
    case 'tools/call':
      return complete(await call(id, params));
    default:
      throw Object.assign(new Error('Method not found'), { code: -32601 });
  }
}

createInterface({ input: process.stdin }).on('line', async (line) => {
  const message = JSON.parse(line);
  if (message.method === undefined) {
    asked.get(message.id)?.(message.result ?? message.error);
    return;
  }
  if (message.id === undefined) {
    if (message.method === 'notifications/cancelled') cancelled.add(message.params.requestId);
    return;
  }
  try {
    const result = await answer(message);
    if (result !== undefined) write({ id: message.id, result });
  } catch (error) {
    write({ id: message.id, error: { code: error.code ?? -32603, message: error.message, ...(error.data ? { data: error.data } : {}) } });
  }
}).on('close', () => process.exit(0));
