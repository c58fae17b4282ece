// What a client lives through with server-everything over stdio, through the gate, is what it lives
// through with server-everything over its own HTTP, without it.

import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { Issuer } from './harness/issuer.mjs';
import { noResumption, overHttp, overMcpRemote, startEverything } from './harness/mcp.mjs';
import { assertSame, recordScenario, withoutSession } from './harness/scenario.mjs';

const everything = join(dirname(fileURLToPath(import.meta.url)), '../node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const user = process.getuid() === 0 ? { run_as_host_user: 'nobody' } : {};
const facts = { asks: true, tells: true, tasks: true, piped: true };

const clients = {
  'SDK v1': (t, url, options) => overHttp('v1', url, { ...options, ...noResumption }),
  'SDK v2, legacy': (t, url, options) => overHttp('legacy', url, options),
  'SDK v2, auto': (t, url, options) => overHttp('auto', url, options),
  'mcp-remote': (t, url, options) => overMcpRemote(t, 'v1', url, options),
};

test('server-everything over stdio', async (t) => {
  const http = await startEverything(t);
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', mcp: { command: process.execPath, args: [everything, 'stdio'], ...user } }],
    gate: { stdio: { users: ['nobody'] } },
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
  });
  const url = gate.url('app');
  const token = await issuer.token(url);
  for (const [name, client] of Object.entries(clients)) {
    await t.test(name, async (t) => {
      const overItsHttp = await recordScenario(t, client(t, http.uri.replace('mcp+', ''), {}), facts);
      const overPipes = await recordScenario(t, client(t, url, { token }), facts);
      assert.ok(overPipes.length > 0);
      assertSame(withoutSession(overPipes), withoutSession(overItsHttp));
    });
  }
});
