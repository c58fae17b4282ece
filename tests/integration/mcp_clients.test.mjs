// Real MCP clients, through the gate, to real MCP servers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, inspector, startDemoServer, startEverything, startMcpProxy } from './harness/mcp.mjs';

async function gateBefore(t, app, uri) {
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: app, uri }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
  });
  const url = gate.url(app);
  return { gate, issuer, url, token: await issuer.token(url) };
}

function text(result) {
  return result.content.map((part) => part.text).join('');
}

async function listAndEcho(t, kind, url, token) {
  const client = await connectClient(t, kind, url, token);
  const { tools } = await client.listTools();
  assert.ok(tools.some((tool) => tool.name === 'echo'));
  const result = await client.callTool({ name: 'echo', arguments: { message: 'through the gate' } });
  assert.match(text(result), /through the gate/);
  await client.close();
}

async function inspectorListsAndEchoes(url, token) {
  const list = await inspector(url, token, '--method', 'tools/list');
  assert.equal(list.status, 0, list.output);
  assert.match(list.stdout, /"echo"/);
  const call = await inspector(url, token, '--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'message=through the gate');
  assert.equal(call.status, 0, call.output);
  assert.match(call.stdout, /through the gate/);
}

test('server-everything', async (t) => {
  const server = await startEverything(t);
  const { url, token, gate } = await gateBefore(t, 'mcp-everything', server.uri);

  for (const kind of ['v1', 'legacy', 'auto']) {
    await t.test(`SDK client ${kind}`, (t) => listAndEcho(t, kind, url, token));
  }
  await t.test('inspector', () => inspectorListsAndEchoes(url, token));

  for (const kind of ['v1', 'legacy', 'auto']) {
    await t.test(`SDK client ${kind} without a token is refused`, async (t) => {
      const error = await connectClient(t, kind, url).then(() => assert.fail('it connected'), (failure) => failure);
      // Each line of the SDK keeps the status elsewhere.
      const status = [error.code, error.status, error.data?.status, error.cause?.status].find((value) => typeof value === 'number');
      assert.ok(status === 401 || /unauthorized/i.test(`${error.name} ${error.message}`), `${error.name}: ${error.message}`);
    });
  }
  await t.test('inspector without a token is refused', async () => {
    const call = await inspector(url, undefined, '--method', 'tools/list');
    assert.equal(call.status, 3, call.output);
  });
  await t.test('401 names metadata that a client can use', async () => {
    const refused = await post(url);
    assert.equal(refused.status, 401);
    const challenge = refused.headers['www-authenticate'];
    assert.match(challenge, /^Bearer /);
    assert.doesNotMatch(challenge, /error=/);
    const [, metadata] = /resource_metadata="([^"]+)"/.exec(challenge);
    assert.equal(metadata, `${gate.origin}/.well-known/oauth-protected-resource/mcp/apps/mcp-everything`);
    const answer = await request(metadata);
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^application\/json/);
    assert.equal(answer.json.resource, url);
    assert.ok(Array.isArray(answer.json.authorization_servers) && answer.json.authorization_servers.length > 0);
    assert.deepEqual(answer.json.bearer_methods_supported, ['header']);
  });
});

test('metadata lists the issuer of the app', async (t) => {
  const { gate, issuer } = await gateBefore(t, 'one', 'mcp+http://127.0.0.1:9/mcp');
  const { json } = await request(`${gate.origin}/.well-known/oauth-protected-resource/mcp/apps/one`);
  assert.deepEqual(json.authorization_servers, [issuer.name]);
});

test('an app that does not exist is no oracle', async (t) => {
  const { gate, issuer } = await gateBefore(t, 'one', 'mcp+http://127.0.0.1:9/mcp');
  const there = await post(gate.url('one'));
  const absent = await post(gate.url('two'));
  assert.equal(absent.status, there.status);
  assert.equal(absent.headers['www-authenticate'], there.headers['www-authenticate'].replace('/one', '/two'));
  assert.equal(absent.text, there.text);
  assert.equal((await request(`${gate.origin}/.well-known/oauth-protected-resource/mcp/apps/two`)).status, 200);
  // A token that is good for `one`, and a token for an app that does not exist.
  const foreign = await post(gate.url('two'), await issuer.token(gate.url('one')));
  const own = await post(gate.url('two'), await issuer.token(gate.url('two')));
  assert.deepEqual([foreign.status, own.status], [401, 401]);
  assert.equal(foreign.headers['www-authenticate'], own.headers['www-authenticate']);
});

test('mcp-proxy, both eras', async (t) => {
  const server = await startMcpProxy(t);
  const { url, token } = await gateBefore(t, 'proxy', server.uri);
  for (const kind of ['v1', 'legacy', 'auto', 'modern']) {
    await t.test(`SDK client ${kind}`, (t) => listAndEcho(t, kind, url, token));
  }
});

test('the demo server, both eras', async (t) => {
  const server = await startDemoServer(t);
  const { url, token } = await gateBefore(t, 'demo', server.uri);

  for (const kind of ['v1', 'legacy', 'auto', 'modern']) {
    await t.test(`SDK client ${kind}`, async (t) => {
      await listAndEcho(t, kind, url, token);
      const client = await connectClient(t, kind, url, token);
      const sum = await client.callTool({ name: 'add', arguments: { a: 19, b: 23 } });
      assert.match(text(sum), /42/);
      const progress = [];
      const counted = await client.callTool({ name: 'slow_count', arguments: { to: 3 } },
        ...(kind === 'v1' ? [undefined] : []), { onprogress: (event) => progress.push(event.progress) });
      assert.ok(counted.content.length > 0);
      assert.ok(progress.length > 0, 'progress notifications came over SSE');
      const { resources } = await client.listResources();
      assert.equal(resources.length, 1);
      assert.ok((await client.readResource({ uri: resources[0].uri })).contents.length > 0);
      const { prompts } = await client.listPrompts();
      assert.equal(prompts.length, 1);
    });
  }
  await t.test('inspector', () => inspectorListsAndEchoes(url, token));
});

test('the debug app shows what an app would receive, without the token', async (t) => {
  const issuer = await Issuer.make();
  const config = authConfig('issuer', issuer, { labels: { 'gatehouse/app-kind': 'debug' } });
  const gate = await Gateway.start(t, { debugApp: true, resources: { 'issuer.yaml': [config] } });
  const url = gate.url('debug');
  const token = await issuer.token(url);
  const show = async (accept) => request(url, { headers: { authorization: `Bearer ${token}`, accept, 'x-probe': '<script>&' } });

  const page = await show('text/html');
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'], /^text\/html/);
  assert.match(page.text, /alice@example\.com/);
  assert.match(page.text, /X-Forwarded-For/i);
  assert.match(page.text, /&lt;script&gt;&amp;/);
  assert.doesNotMatch(page.text, /<script>/);
  const data = await show('application/json');
  assert.match(data.headers['content-type'], /^application\/json/);
  assert.ok(data.json);
  for (const { text } of [page, data]) assert.ok(!text.includes(token.slice(-20)));
  assert.equal((await request(url)).status, 401);
});
