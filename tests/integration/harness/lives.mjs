// Clients' lives, each with a user and a token of its own: what they ask, and how they leave. A life
// ends with the name of how it went ('whole', or what it met), never with an error, or in time.

import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { MCP_HEADERS, open, request } from './http.mjs';
import { makeClient, overHttp } from './mcp.mjs';
import { patience } from './wait.mjs';

const USERS = 40;
const TOKEN = 20; // seconds: sessions come and go
let turn = 0;
const initialize = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'life', version: '1' } } });

class Met extends Error {}

async function newToken(issuer, audience) {
  const user = `user-${turn++ % USERS}`;
  return issuer.token(audience, { sub: user, email: `${user}@example.com`, exp: Math.floor(Date.now() / 1000) + TOKEN });
}

function expect(answer, ...statuses) {
  if (!statuses.includes(answer.status)) throw new Met(`${answer.status}`);
  return answer;
}

// A session by hand, ended by DELETE, left with its stream open, or cut in the middle of a call.
async function byHand({ gate, issuer, app, slow }) {
  const url = gate.url(app);
  const token = await newToken(issuer, url);
  const cuts = [];
  const headers = { ...MCP_HEADERS, authorization: `Bearer ${token}` };
  const send = (message, options = {}) => ({ method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }), ...options });
  try {
    const begun = expect(await request(url, { method: 'POST', headers, body: initialize }), 200);
    if (/"error":/.test(begun.text)) throw new Met('an error');
    headers['mcp-session-id'] = begun.headers['mcp-session-id'];
    headers['mcp-protocol-version'] = '2025-11-25';
    expect(await request(url, send({ method: 'notifications/initialized' })), 202);
    if (Math.random() < 0.5) {
      const standing = expect(await open(url, { headers }), 200);
      standing.stream.resume();
      cuts.push(standing);
    }
    for (let i = 0; i < 3; i++) {
      const answer = expect(await request(url, send({ id: i, method: 'tools/call', params: { name: 'echo', arguments: { message: `m${i}` } } })), 200);
      if (/"error":/.test(answer.text)) throw new Met('an error');
      if (!answer.text.includes('"result":')) throw new Met('a cut stream');
      if (!answer.text.includes(`m${i}`)) throw new Met('another answer');
    }
    const end = Math.random();
    if (end < 0.4) expect(await request(url, { method: 'DELETE', headers }), 200, 204);
    else if (end < 0.7) {
      const call = expect(await open(url, send({ id: 'long', method: 'tools/call', params: { ...slow, _meta: { progressToken: 1 } } })), 200);
      call.stream.resume();
      cuts.push(call);
    }
  } finally {
    for (const cut of cuts) cut.request.destroy();
  }
}

// An SDK client whose stream breaks may wait for an answer until its time is up.
const options = { timeout: 15_000 * patience };

async function call(client, kind) {
  const { tools } = await client.listTools(undefined, options);
  if (!tools.some(({ name }) => name === 'echo')) throw new Met('other tools');
  await client.callTool({ name: 'echo', arguments: { message: 'x' } }, ...(kind === 'v1' ? [undefined] : []), options);
}

// One of the SDKs' clients.
function bySdk(kind) {
  return async ({ gate, issuer, app }) => {
    const url = gate.url(app);
    const client = makeClient(kind);
    const transport = overHttp(kind, url, { token: await newToken(issuer, url),
      reconnectionOptions: { initialReconnectionDelay: 10, maxReconnectionDelay: 10, reconnectionDelayGrowFactor: 1, maxRetries: 1 } }).transport();
    try {
      await client.connect(transport, options);
      await call(client, kind);
      if (Math.random() < 0.5) await transport.terminateSession?.();
    } finally {
      await client.close();
    }
  };
}

// An SDK client of the transport of 2024-11-05. When it loses its stream it makes another by itself,
// and waits in vain for the answers of the first: so that is its end here.
async function byOldSdk({ gate, issuer, app }) {
  const url = gate.url(app);
  const client = new OldClient({ name: 'old', version: '1' }, {});
  const lost = new Promise((_, reject) => (client.onerror = () => reject(new Met('a lost stream'))));
  const walk = async () => {
    await client.connect(new SSEClientTransport(new URL(`${url}/sse`), { requestInit: { headers: { authorization: `Bearer ${await newToken(issuer, url)}` } } }), options);
    await call(client, 'v1');
  };
  try {
    await Promise.race([walk(), lost]);
  } finally {
    await client.close();
  }
}

// A web app's requests, by the name of its host.
async function byBrowser({ gate, issuer, host }) {
  const headers = { host, authorization: `Bearer ${await newToken(issuer, 'web')}` };
  for (let i = 0; i < 4; i++) expect(await request(`${gate.origin}/page/${i}`, { headers }), 200);
}

export const lives = { byHand, v1: bySdk('v1'), legacy: bySdk('legacy'), modern: bySdk('modern'), byOldSdk, byBrowser };

const words = (error) => (error instanceof Met ? error.message : /timed out/i.test(error.message) ? 'stuck' : `${error.code ?? error.name}: ${error.message}`.slice(0, 160));

// Lives once. `deadline`: milliseconds after which it is stuck.
export async function live(kind, facts, deadline) {
  const begun = performance.now();
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve('stuck'), deadline)));
  const result = await Promise.race([lives[kind](facts).then(() => 'whole', words), late]);
  clearTimeout(timer);
  // On a busy machine a life may last longer than its token.
  return result === '401' && performance.now() - begun > (TOKEN - 2) * 1000 ? 'a token that ended' : result;
}
