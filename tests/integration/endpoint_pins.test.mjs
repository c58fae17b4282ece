// Endpoints of one app that share an address and a port, and differ by path or by host name alone: each is a server of
// its own, and what it made goes on there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

// One program that answers as many servers, by Host and path, and says which it was.
async function program(t) {
  let made = 0;
  const upstream = await Upstream.start(async (request, response) => {
    const { id, method, params } = JSON.parse(await body(request));
    const server = `${request.headers.host}${request.url}`;
    const headers = { 'content-type': 'application/json', 'x-server': server };
    let result = {};
    if (method === 'initialize') {
      made += 1;
      headers['mcp-session-id'] = `${server}@${made}`;
      result = { protocolVersion: params.protocolVersion, capabilities: {}, serverInfo: { name: 'program', version: '1' } };
    }
    response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  t.after(() => upstream.stop());
  return upstream;
}

const initialize = { method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } } };

test('sessions of endpoints on one address and port stay with their own, and end with it', async (t) => {
  const { port } = await program(t);
  const names = [`127.0.0.1:${port}/a`, `127.0.0.1:${port}/b`, `localhost:${port}/a`];
  const issuer = await Issuer.make('https://one.example.com');
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', endpoints: names.map((name) => `mcp+http://${name}`) }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    workers: 2,
  });
  const token = await issuer.token(gate.url('app'));
  const ask = (message, session) => post(gate.url('app'), token, {
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
    headers: session === undefined ? {} : { 'mcp-session-id': session },
  });
  const ping = (session) => ask({ method: 'ping' }, session);
  const sessions = new Map();
  await waitFor('a session on each', async () => {
    const answer = await ask(initialize);
    assert.equal(answer.status, 200, answer.text);
    sessions.set(answer.headers['x-server'], answer.headers['mcp-session-id']);
    return sessions.size === names.length;
  });
  for (let i = 0; i < 4; i++)
    for (const [name, session] of sessions) assert.equal((await ping(session)).headers['x-server'], name);

  gate.settings.app_service.apps[0].endpoints.splice(1, 1);
  gate.writeSettings();
  gate.signal('SIGHUP');
  await waitFor('its end', async () => (await ping(sessions.get(names[1]))).status === 404);
  for (const name of [names[0], names[2]]) assert.equal((await ping(sessions.get(name))).headers['x-server'], name);
});
