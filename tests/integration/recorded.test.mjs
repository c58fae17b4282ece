// What a client lives through with a server is the same with the gate between as without it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { Issuer } from './harness/issuer.mjs';
import { overHttp, overMcpRemote, overSupergateway, startEverything, startMcpProxy } from './harness/mcp.mjs';
import { assertSame, recordScenario } from './harness/scenario.mjs';

async function gateBefore(t, uri, options = {}) {
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    ...options,
  });
  return { gate, url: gate.url('app'), token: await issuer.token(gate.url('app')) };
}

const clients = {
  'SDK v1': (t, url, options) => overHttp('v1', url, options),
  'SDK v2, legacy': (t, url, options) => overHttp('legacy', url, options),
  'SDK v2, auto': (t, url, options) => overHttp('auto', url, options),
  'SDK v2, modern': (t, url, options) => overHttp('modern', url, options),
  'mcp-remote': (t, url, options) => overMcpRemote(t, 'v1', url, options),
  'mcp-remote, auto': (t, url, options) => overMcpRemote(t, 'auto', url, { ...options, protocol: 'auto' }),
  supergateway: (t, url, options) => overSupergateway('v1', url, options),
};

async function compare(t, server, facts) {
  const direct = server.uri.replace('mcp+', '');
  const { url, token } = await gateBefore(t, server.uri);
  for (const [name, client] of Object.entries(clients)) {
    await t.test(name, async (t) => {
      const without = await recordScenario(t, client(t, direct, {}), facts);
      if (process.env.SHOW) console.log(JSON.stringify(without, null, 1));
      const through = await recordScenario(t, client(t, url, { token }), facts);
      assert.ok(without.length > 0);
      assertSame(through, without);
    });
  }
}

test('server-everything', async (t) => {
  await compare(t, await startEverything(t), { asks: true, tells: true, tasks: true });
});

test('mcp-proxy', async (t) => {
  const server = await startMcpProxy(t);
  // Its clients share one server, where the first one leaves a resource behind.
  await recordScenario(t, overHttp('v1', server.uri.replace('mcp+', '')), { tells: true });
  await compare(t, server, { tells: true });
});
