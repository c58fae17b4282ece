// Apps whose documents change, or break, while their endpoints are in use and probed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig, gatehouse } from './harness/gateway.mjs';
import { post } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { startEverything } from './harness/mcp.mjs';
import { Upstream, body } from './harness/upstream.mjs';
import { waitFor } from './harness/wait.mjs';

async function setUp(t, options) {
  const issuer = await Issuer.make('https://one.example.com');
  const gate = await Gateway.start(t, { workers: 2, ...options, resources: { 'issuer.yaml': [authConfig('issuer', issuer)], ...options.resources } });
  return { gate, token: await issuer.token(gate.url('app')) };
}

test('a file that cannot be read leaves the app the endpoints that it named', async (t) => {
  const servers = await Promise.all(['a', 'b', 'c'].map((name) => Upstream.start(async (request, response) => {
    const { id } = JSON.parse(await body(request));
    response.writeHead(200, { 'content-type': 'application/json', 'x-server': name }).end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }));
  })));
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const part = (server) => ({ version: 'v1', kind: 'app', metadata: { name: 'app' }, spec: { uri: server.uri } });
  const [a, b, c] = servers;
  const { gate, token } = await setUp(t, { resources: { '1.yaml': [part(a)], '2.yaml': [part(b)] } });
  const answers = async (...names) => waitFor(`answers of ${names}`, async () => {
    const seen = new Set();
    for (let i = 0; i < 40; i++) {
      const answer = await post(gate.url('app'), token);
      assert.equal(answer.status, 200, answer.text);
      seen.add(answer.headers['x-server']);
    }
    return [...seen].sort().join() === names.join();
  });
  await answers('a', 'b');
  gate.writeResource('2.yaml', 'version: v1\nkind: app\n"metadata: {name: app}\n');
  await waitFor('the refusal', () => /document_refused: file \S*2\.yaml: \S*2\.yaml:\d+:\d+: not valid YAML/.test(gate.log));
  await answers('a', 'b');
  gate.writeResource('1.yaml', part(c));
  await answers('b', 'c');
  // Also for a gateway that has only the store to remember it by.
  gate.signal('SIGTERM');
  await gate.program.exited;
  await gate.run();
  await answers('b', 'c');
  const { status } = await gatehouse('check', '-c', gate.settingsPath);
  assert.equal(status, 78);
  gate.removeResource('2.yaml');
  await answers('c');
});

test('probes leave no MCP session when their app changes, is not probed any more, or the gate stops', async (t) => {
  const servers = await Promise.all([startEverything(t), startEverything(t)]);
  const health_check = { type: 'mcp', interval: '10ms', timeout: '10s' };
  const app = (more) => ({ name: 'app', endpoints: servers.map(({ uri }) => uri), health_check, ...more });
  const { gate } = await setUp(t, { apps: [app()] });
  const count = (pattern) => servers.map(({ program }) => program.output.match(pattern)?.length ?? 0);
  const began = () => count(/Session initialized with ID/g);
  const ended = () => count(/Transport closed for session/g);
  const apply = async (...apps) => {
    const probes = await gate.metric('health_probes_total');
    gate.settings.app_service.apps = apps;
    gate.writeSettings();
    gate.signal('SIGHUP');
    return probes;
  };
  await waitFor('sessions at both', () => began().every((sessions) => sessions > 0));
  for (let i = 0; i < 10; i++) {
    const probes = await apply(app({ description: `version ${i}` }));
    await waitFor('probes', async () => await gate.metric('health_probes_total') > probes + 5);
  }
  await apply(app({ health_check: { type: 'off' } }));
  await waitFor('no more probes', async () => await gate.metric('endpoints_probed') === 0);
  await waitFor('the end of each session', () => began().join() === ended().join());
  const before = began();
  await apply(app());
  await waitFor('sessions again', () => began().every((sessions, i) => sessions > before[i]));
  gate.signal('SIGTERM');
  await gate.program.exited;
  await waitFor('the end of each session', () => began().join() === ended().join());
});
