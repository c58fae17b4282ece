// What a client lives through with a server is the same with the gate between as without it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, inspector, noResumption, overHttp, overMcpRemote, overSupergateway, startEverything, startMcpProxy } from './harness/mcp.mjs';
import { Relay } from './harness/relay.mjs';
import { Normaliser, assertSame, recordResumption, recordScenario } from './harness/scenario.mjs';

async function gateBefore(t, uri, options = {}) {
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    ...options,
  });
  return { gate, issuer, url: gate.url('app'), token: await issuer.token(gate.url('app')) };
}

const everything = { asks: true, tells: true, tasks: true };
const proxy = { tells: true, piped: true };

const clients = {
  'SDK v1': (t, url, options) => overHttp('v1', url, { ...options, ...noResumption }),
  'SDK v2, legacy': (t, url, options) => overHttp('legacy', url, options),
  'SDK v2, auto': (t, url, options) => overHttp('auto', url, options),
  'SDK v2, modern': (t, url, options) => overHttp('modern', url, options),
  'mcp-remote': (t, url, options) => overMcpRemote(t, 'v1', url, options),
  'mcp-remote, auto': (t, url, options) => overMcpRemote(t, 'auto', url, { ...options, protocol: 'auto' }),
  supergateway: (t, url, options) => overSupergateway('v1', url, options),
};

const direct = (server) => server.uri.replace('mcp+', '');

async function compare(t, server, facts) {
  const { url, token } = await gateBefore(t, server.uri);
  for (const [name, client] of Object.entries(clients)) {
    await t.test(name, async (t) => {
      const without = await recordScenario(t, client(t, direct(server), {}), facts);
      const through = await recordScenario(t, client(t, url, { token }), facts);
      assert.ok(without.length > 0);
      assertSame(through, without);
    });
  }
}

test('server-everything', async (t) => {
  await compare(t, await startEverything(t), everything);
});

test('mcp-proxy', async (t) => {
  const server = await startMcpProxy(t);
  // Its clients share one server, where the first one leaves a resource behind.
  await recordScenario(t, overHttp('v1', direct(server), noResumption), proxy);
  await compare(t, server, proxy);
});

// Its own program each time: what it prints is what it observed.
test('the inspector', async (t) => {
  const server = await startEverything(t);
  const { url, token } = await gateBefore(t, server.uri);
  const show = async (target, line) => {
    const { status, stdout, output } = await inspector(target, target === url ? token : 'none', ...line);
    return { step: line.join(' '), status, shown: new Normaliser().value(status === 0 ? JSON.parse(stdout) : output) };
  };
  for (const line of [
    ['--method', 'tools/list'],
    ['--method', 'tools/call', '--tool-name', 'trigger-long-running-operation', '--tool-arg', 'duration=0.1', '--tool-arg', 'steps=2'],
    ['--method', 'tools/call', '--tool-name', 'no-such-tool'],
    ['--method', 'resources/read', '--uri', 'demo://resource/dynamic/text/1'],
    ['--method', 'prompts/get', '--prompt-name', 'args-prompt', '--prompt-args', 'city=Paris'],
  ]) {
    const [through, without] = await Promise.all([show(url, line), show(direct(server), line)]);
    assertSame([through], [without]);
  }
});

// The same over TLS, with a client that is told only to trust the gate's certificate.
test('over TLS', async (t) => {
  const server = await startEverything(t);
  const issuer = await Issuer.make();
  const gate = await Gateway.prepare(t, {
    apps: [{ name: 'app', uri: server.uri }], resources: { 'issuer.yaml': [authConfig('issuer', issuer)] }, tls: true,
  });
  gate.settings.gate.public_addr = `https://127.0.0.1:${gate.tlsPort}`;
  gate.writeSettings();
  await gate.run();
  const url = gate.tlsUrl('app');
  const token = await issuer.token(url);
  const without = await recordScenario(t, overMcpRemote(t, 'legacy', direct(server)), everything);
  const env = { NODE_EXTRA_CA_CERTS: gate.certificate.certificate };
  assertSame(await recordScenario(t, overMcpRemote(t, 'legacy', url, { token, env }), everything), without);
});

for (const [name, { start, facts, last }] of Object.entries({
  'server-everything': { start: startEverything, facts: everything, last: 6 },
  'mcp-proxy': { start: startMcpProxy, facts: proxy, last: 5 },
})) {
  test(`a cut stream is resumed, ${name}`, async (t) => {
    const server = await start(t);
    const before = await Relay.start(t, server.port);
    const relay = await Relay.start(t);
    // The gate stands behind its relay, under the relay's address.
    const { gate, issuer } = await gateBefore(t, server.uri, { gate: { public_addr: relay.origin } });
    relay.to = gate.port;
    const url = `${relay.origin}/mcp/apps/app`;
    const token = await issuer.token(url);
    const other = await connectClient(t, 'v1', direct(server));
    const options = {
      reconnectionOptions: { initialReconnectionDelay: 20, maxReconnectionDelay: 20, reconnectionDelayGrowFactor: 1, maxRetries: 1000 },
      // Once closed, an SDK transport goes on trying for all these times.
      fetch: (target, init) => (init.signal?.aborted ? new Promise(() => {}) : fetch(target, init)),
    };
    for (const kind of ['v1', 'legacy']) {
      await t.test(`SDK client ${kind}`, async (t) => {
        const without = await recordResumption(t, overHttp(kind, `${before.origin}/mcp`, options), facts, before, other);
        const through = await recordResumption(t, overHttp(kind, url, { ...options, token }), facts, relay, other);
        assert.deepEqual(without[0].result.progress.map((event) => event.progress), [1, 2, 3, 4, 5, 6].slice(0, last));
        assertSame(through, without);
      });
    }
  });
}
