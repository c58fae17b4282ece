// HTTP+SSE of 2024-11-05: its servers serve new clients, its clients are served by any server.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Gateway, authConfig, makeCertificate, temporaryDirectory } from './harness/gateway.mjs';
import { MCP_HEADERS, open, post, request } from './harness/http.mjs';
import { Issuer } from './harness/issuer.mjs';
import { connectClient, startEverything } from './harness/mcp.mjs';
import { waitFor } from './harness/wait.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const own = join(here, 'harness/stdio_server.mjs');
const user = process.getuid() === 0 ? { run_as_host_user: 'nobody' } : {};
const words = (result) => result.content.map((part) => part.text).join('');

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0', id: 0, method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
});

async function gateBefore(t, apps, resources = (issuer) => ({ 'issuer.yaml': [authConfig('issuer', issuer)] })) {
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps,
    gate: { stdio: { users: ['nobody'] } },
    resources: resources(issuer),
  });
  gate.issuer = issuer;
  return gate;
}

// A server of the old transport that answers as the test wants. `endpoint`: the first event's data.
async function oldServer(t, { endpoint = '/message?sessionId=1', first = 'endpoint', tls, answer } = {}) {
  const seen = { posts: [], streams: 0, headers: [] };
  const listener = (incoming, outgoing) => {
    seen.headers.push(incoming.headers);
    if (incoming.method === 'GET') {
      seen.streams++;
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      outgoing.write(`event: ${first}\r\ndata: ${endpoint}\r\n\r\n`);
      seen.stream = outgoing;
      incoming.on('close', () => seen.streams--);
      return;
    }
    let text = '';
    incoming.on('data', (data) => (text += data)).on('end', () => {
      const message = JSON.parse(text);
      seen.posts.push({ url: incoming.url, message });
      outgoing.writeHead(202).end('Accepted');
      const result = message.method === 'initialize'
        ? { protocolVersion: '2024-11-05', capabilities: { tools: {} }, serverInfo: { name: 'old', version: '1' } }
        : answer?.(message, seen.stream);
      if (message.id !== undefined && result !== undefined) {
        seen.stream.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result })}\n\n`);
      }
    });
  };
  const server = tls ? createSecureServer(tls, listener) : createServer(listener);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { ...seen, seen, port: server.address().port };
}

async function connectOld(t, url, token, capabilities = {}) {
  const client = new Client({ name: 'old', version: '1' }, { capabilities });
  t.after(() => client.close().catch(() => {}));
  await client.connect(new SSEClientTransport(new URL(`${url}/sse`), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
  return client;
}

test('server-everything as an SSE server serves Streamable HTTP clients', async (t) => {
  const server = await startEverything(t, 'sse');
  const gate = await gateBefore(t, [{ name: 'old', uri: `mcp+sse+http://127.0.0.1:${server.port}/sse` }]);
  const url = gate.url('old');
  const token = await gate.issuer.token(url);

  for (const kind of ['v1', 'legacy', 'auto']) {
    await t.test(kind, async (t) => {
      const client = await connectClient(t, kind, url, token);
      const { tools } = await client.listTools();
      assert.ok(tools.some((tool) => tool.name === 'echo'));
      assert.match(words(await client.callTool({ name: 'echo', arguments: { message: 'hi' } })), /hi/);
      const progress = [];
      await client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } },
        ...(kind === 'v1' ? [undefined] : []), { onprogress: (step) => progress.push(step.progress) });
      // An SDK client may take the answer before the progress that came with it.
      assert.deepEqual(progress.slice(0, 2), [1, 2]);
      await client.close();
    });
  }
});

test('old SDK clients', async (t) => {
  const streamable = await startEverything(t);
  const old = await startEverything(t, 'sse');
  const gate = await gateBefore(t, [
    { name: 'streamable', uri: streamable.uri },
    { name: 'old', uri: `mcp+sse+http://127.0.0.1:${old.port}/sse` },
    { name: 'stdio', mcp: { command: process.execPath, args: [join(here, '../node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'], ...user } },
  ]);
  for (const app of ['streamable', 'old', 'stdio']) {
    await t.test(`of a server ${app}`, async (t) => {
      const url = gate.url(app);
      const client = await connectOld(t, url, await gate.issuer.token(url), { sampling: {} });
      client.setRequestHandler(CreateMessageRequestSchema, async () => ({ model: 'm', role: 'assistant', content: { type: 'text', text: 'sampled' } }));
      const { tools } = await client.listTools();
      assert.ok(tools.some((tool) => tool.name === 'echo'));
      assert.match(words(await client.callTool({ name: 'echo', arguments: { message: 'hi' } })), /hi/);
      const progress = [];
      await client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } },
        undefined, { onprogress: (step) => progress.push(step.progress) });
      // An SDK client may take the answer before the progress that came with it.
      assert.deepEqual(progress.slice(0, 2), [1, 2]);
      assert.match(words(await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'p', maxTokens: 5 } })), /sampled/);
      await client.close();
    });
  }
});

// fetch(), of a name that only the gate knows.
const named = (port) => async (url, { method, headers, body, signal } = {}) => {
  const { host, pathname, search } = new URL(url);
  const answer = await open(`http://127.0.0.1:${port}${pathname}${search}`, { method, body, headers: { ...Object.fromEntries(new Headers(headers)), host } });
  signal?.addEventListener('abort', () => answer.request.destroy());
  return new Response(Readable.toWeb(answer.stream), { status: answer.status, headers: Object.entries(answer.headers) });
};

test("old SDK clients at a name of the app's own", async (t) => {
  const streamable = await startEverything(t);
  const gate = await gateBefore(t, [
    { name: 'streamable', uri: streamable.uri, public_addr: 'streamable.example.com' },
    { name: 'stdio', public_addr: 'stdio.example.com', mcp: { command: process.execPath, args: [own], ...user } },
    { name: 'elsewhere', public_addr: 'elsewhere.example.com', uri: streamable.uri.replace(/mcp$/, 'sse') },
    { name: 'web', public_addr: 'web.example.com', uri: streamable.uri.replace('mcp+', '') },
  ], (issuer) => ({ 'issuer.yaml': [authConfig('issuer', issuer, { labels: [{ name: '*', values: ['*'] }] })] }));
  const token = (app) => gate.issuer.token(gate.url(app));
  const at = (app, path, more = {}) => request(`${gate.origin}${path}`, { ...more, headers: { host: `${app}.example.com`, accept: 'text/event-stream', ...more.headers } });
  for (const app of ['streamable', 'stdio']) {
    await t.test(`of a server ${app}`, async (t) => {
      const client = new Client({ name: 'old', version: '1' });
      t.after(() => client.close().catch(() => {}));
      await client.connect(new SSEClientTransport(new URL(`http://${app}.example.com:${gate.port}/sse`),
        { requestInit: { headers: { authorization: `Bearer ${await token(app)}` } }, fetch: named(gate.port) }));
      assert.match(words(await client.callTool({ name: 'echo', arguments: { message: 'hi' } })), /hi/);
      assert.equal((await at(app, '/sse')).status, 401);
      assert.equal((await at(app, '/sse', { method: 'POST', headers: { authorization: `Bearer ${await token(app)}` } })).status, 405);
      await client.close();
    });
  }

  await t.test('its messages go beside its stream', async () => {
    const stream = await open(`${gate.origin}/sse`, { headers: { host: 'stdio.example.com', accept: 'text/event-stream', authorization: `Bearer ${await token('stdio')}` } });
    let text = '';
    stream.stream.on('data', (data) => (text += data));
    await waitFor('the endpoint', () => /\n\n/.test(text));
    assert.match(text, /^event: endpoint\ndata: \/sse\/message\?sessionId=[0-9a-f]{32}\n\n/);
    stream.request.destroy();
  });

  // Of these the paths are the server's own: it has none there.
  for (const app of ['elsewhere', 'web']) {
    await t.test(`not of ${app}`, async () => {
      const answer = await at(app, '/sse', { headers: { authorization: `Bearer ${await token(app)}` } });
      assert.equal(answer.status, 404);
      assert.notEqual(answer.headers['gatehouse-error-origin'], 'gateway');
    });
  }
});

test('a server of the old transport', async (t) => {
  const server = await oldServer(t, { answer: (message) => ({ content: [{ type: 'text', text: message.params.name }] }) });
  const gate = await gateBefore(t, [{ name: 'old', uri: `mcp+sse+http://localhost:${server.port}/a/sse`, rewrite: { headers: [{ name: 'X-Key', value: 'secret' }] } }]);
  const url = gate.url('old');
  const token = await gate.issuer.token(url);
  const begun = await post(url, token, { body: INITIALIZE });
  assert.equal(begun.status, 200, begun.text);
  const session = { 'mcp-session-id': begun.headers['mcp-session-id'] };
  const call = (name) => post(url, token, { headers: session, body: JSON.stringify({ jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name } }) });

  await t.test('answers on its stream', async () => {
    const answer = await call('x');
    assert.equal(answer.status, 200, answer.text);
    assert.equal(words(answer.json.result), 'x');
    assert.equal(answer.json.id, 5);
    assert.equal(server.seen.posts[0].url, '/message?sessionId=1');
  });

  await t.test('gets the headers of the app, and none of ours', () => {
    for (const headers of server.seen.headers) {
      assert.equal(headers['x-key'], 'secret');
      assert.equal(headers.host, `localhost:${server.port}`);
      assert.deepEqual(Object.keys(headers).filter((name) => /^gatehouse|authorization|mcp-session/.test(name)), []);
    }
  });

  await t.test('is left with the session', async () => {
    const ended = await request(url, { method: 'DELETE', headers: { ...MCP_HEADERS, ...session, authorization: `Bearer ${token}` } });
    assert.equal(ended.status, 204);
    await waitFor('its stream ends', () => server.seen.streams === 0);
  });

  await t.test('that goes takes the session along', async () => {
    const again = await post(url, token, { body: INITIALIZE });
    session['mcp-session-id'] = again.headers['mcp-session-id'];
    server.seen.stream.destroy();
    await waitFor('404', async () => (await call('x')).status === 404);
  });
});

test('what no server of the old transport may say', async (t) => {
  const wrong = [
    { endpoint: 'http://127.0.0.2/message' },
    { endpoint: '//127.0.0.2/message' },
    { endpoint: 'https://localhost/message' },
    { endpoint: '/message', first: 'message' },
  ];
  const servers = await Promise.all(wrong.map((options) => oldServer(t, options)));
  const gate = await gateBefore(t, servers.map(({ port }, i) => ({ name: `old${i}`, uri: `mcp+sse+http://localhost:${port}/sse` })));
  for (const [i, server] of servers.entries()) {
    const url = gate.url(`old${i}`);
    const answer = await post(url, await gate.issuer.token(url), { body: INITIALIZE });
    assert.equal(answer.status, 502, answer.text);
    assert.match(answer.text, /endpoint/);
    assert.deepEqual(server.seen.posts, []);
  }
});

// A server of Streamable HTTP whose streams break off. Each test says what a call's stream brings, and
// what comes when the rest of it is asked for.
async function breakingServer(t) {
  const seen = { posts: [], gets: [], standing: [], calls: {}, resumed: {} };
  const events = (outgoing) => outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
  const server = createServer(async (incoming, outgoing) => {
    if (incoming.method === 'GET') {
      const last = incoming.headers['last-event-id'];
      seen.gets.push(incoming.headers);
      const resume = seen.resumed[last];
      if (resume) {
        resume(outgoing, events);
      } else {
        events(outgoing).flushHeaders();
        seen.standing.push(outgoing);
      }
      return;
    }
    let text = '';
    for await (const data of incoming) text += data;
    const message = text === '' ? {} : JSON.parse(text);
    seen.posts.push(message);
    if (message.method === 'initialize') {
      outgoing.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'the-session' });
      outgoing.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'breaking', version: '1' } } }));
    } else if (message.id === undefined) {
      outgoing.writeHead(202).end();
    } else {
      seen.calls[message.params.name](message.id, events(outgoing), message.params);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { uri: `mcp+http://127.0.0.1:${server.address().port}/mcp`, ...seen };
}

test("a stream of the server's that breaks is resumed for an old client", async (t) => {
  const server = await breakingServer(t);
  const gate = await gateBefore(t, [{ name: 'app', uri: server.uri }]);
  const url = gate.url('app');
  const client = await connectOld(t, url, await gate.issuer.token(url));
  const said = [];
  client.fallbackNotificationHandler = async ({ params }) => said.push(params.data);
  const answer = (id, text) => `id: ${text}\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })}\n\n`;
  const log = (id, data) => `id: ${id}\ndata: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } })}\n\n`;
  const call = (name) => client.callTool({ name, arguments: {} });
  const cut = (outgoing, text) => outgoing.write(text, () => outgoing.destroy());
  const asked = (last) => server.gets.filter((headers) => headers['last-event-id'] === last);
  await waitFor("the server's own stream", () => server.standing.length === 1);

  await t.test('twice, from where it stood', async () => {
    server.calls.twice = (id, outgoing) => {
      server.resumed['a-2'] = (again, events) => cut(events(again), log('a-3', 'third'));
      server.resumed['a-3'] = (again, events) => events(again).end(answer(id, 'done'));
      cut(outgoing, `id: a-1\nretry: 10\ndata: \n\n${log('a-2', 'second')}`);
    };
    assert.equal(words(await call('twice')), 'done');
    assert.deepEqual(said, ['second', 'third']);
    assert.equal(asked('a-2').length, 1);
    assert.equal(asked('a-2')[0]['mcp-session-id'], 'the-session');
    assert.equal(asked('a-2')[0]['mcp-protocol-version'], '2025-11-25');
    assert.equal(server.posts.filter(({ params }) => params?.name === 'twice').length, 1, 'and is posted once');
  });

  await t.test('when the server closes it in good order, and is away for a while', async () => {
    let away = 2;
    server.calls.polled = (id, outgoing) => {
      server.resumed['b-1'] = (again, events) => {
        if (away-- > 0) again.writeHead(503).end();
        else events(again).end(answer(id, 'polled'));
      };
      outgoing.end('id: b-1\nretry: 10\ndata: \n\n');
    };
    assert.equal(words(await call('polled')), 'polled');
  });

  await t.test('not without ids: the caller is told', async () => {
    server.calls.nameless = (id, outgoing) => cut(outgoing, 'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n');
    await assert.rejects(call('nameless'), /cannot be asked|answer is none/);
  });

  await t.test('nor where it refuses', async () => {
    server.calls.refused = (id, outgoing) => {
      server.resumed['c-1'] = (again) => again.writeHead(400).end();
      outgoing.end('id: c-1\nretry: 10\ndata: \n\n');
    };
    await assert.rejects(call('refused'), /cannot resume/);
    assert.equal(asked('c-1').length, 1);
  });

  await t.test('nor for ever', async () => {
    server.calls.never = (id, outgoing) => {
      server.resumed['d-1'] = (again) => again.destroy();
      outgoing.end('id: d-1\nretry: 1\ndata: \n\n');
    };
    await assert.rejects(call('never'), /cannot be resumed/);
    assert.ok(asked('d-1').length > 2 && asked('d-1').length < 12, `${asked('d-1').length} times`);
  });

  await t.test("and so is the server's own", async () => {
    said.length = 0;
    server.resumed['s-1'] = (again, events) => events(again).write(log('s-2', 'own, later'));
    cut(server.standing[0], `retry: 10\n${log('s-1', 'own')}`);
    await waitFor('both', () => said.length === 2);
    assert.deepEqual(said, ['own', 'own, later']);
  });
  await client.close();
});

test('by TLS, with a certificate of its own', async (t) => {
  const directory = temporaryDirectory();
  const { certificate, key } = await makeCertificate(directory, 'localhost');
  const server = await oldServer(t, { tls: { cert: readFileSync(certificate), key: readFileSync(key) } });
  const uri = `mcp+sse+https://localhost:${server.port}/sse`;
  const gate = await gateBefore(t, [
    { name: 'trusted', uri, ca: certificate },
    { name: 'careless', uri, insecure_skip_verify: true },
    { name: 'unknown', uri },
  ]);
  for (const [app, status] of [['trusted', 200], ['careless', 200], ['unknown', 502]]) {
    const url = gate.url(app);
    const answer = await post(url, await gate.issuer.token(url), { body: INITIALIZE });
    assert.equal(answer.status, status, `${app}: ${answer.text}`);
  }
});

test('the session of an old client is its own', async (t) => {
  const gate = await gateBefore(t, [{ name: 'stdio', mcp: { command: process.execPath, args: [own], ...user } }]);
  const url = gate.url('stdio');
  const token = await gate.issuer.token(url);
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  assert.equal((await request(`${url}/sse`)).status, 401);
  assert.equal((await request(`${url}/sse/message?sessionId=1`, { method: 'POST' })).status, 401);
  assert.equal((await request(`${url}/sse`, { method: 'POST', headers })).status, 405);
  assert.equal((await request(`${url}/sse/message`, { headers })).status, 405);
  const stream = await open(`${url}/sse`, { headers });
  assert.equal(stream.status, 200);
  let text = '';
  stream.stream.on('data', (data) => (text += data));
  await waitFor('the endpoint', () => /\n\n/.test(text));
  const [, path] = /^event: endpoint\ndata: (\/mcp\/apps\/stdio\/sse\/message\?sessionId=[0-9a-f]{32})\n\n/.exec(text);
  const mine = await post(gate.origin + path, token, { body: INITIALIZE });
  assert.equal(mine.status, 202, mine.text);
  await waitFor('the answer', () => /"serverInfo"/.test(text));
  const mallory = await gate.issuer.token(url, { sub: 'mallory', email: 'mallory@example.com' });
  assert.equal((await post(gate.origin + path, mallory, { body: INITIALIZE })).status, 404);
  // Its messages are judged as all others are.
  assert.equal((await post(gate.origin + path, token, { body: '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}' })).status, 400);
  stream.request.destroy();
  await waitFor('its end', async () => (await post(gate.origin + path, token)).status === 404);
});

test('what a role hides and denies, on the streams of old clients', async (t) => {
  const streamable = await startEverything(t);
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'streamable', uri: streamable.uri }, { name: 'stdio', mcp: { command: process.execPath, args: [own], ...user } }],
    gate: { stdio: { users: ['nobody'] } },
    resources: {
      'issuer.yaml': [authConfig('issuer', issuer, { jwt: { claims_to_roles: [{ claim: 'groups', value: 'some', roles: ['some'] }] } })],
      'roles.yaml': [{ version: 'v1', kind: 'role', metadata: { name: 'some' },
        spec: { allow: { app_labels: { 'gatehouse/app-sub-kind': 'mcp' }, mcp: { tools: ['echo'] } } } }],
    },
  });
  for (const app of ['streamable', 'stdio']) {
    await t.test(app, async (t) => {
      const url = gate.url(app);
      const client = await connectOld(t, url, await issuer.token(url, { groups: 'some' }));
      assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), ['echo']);
      assert.match(words(await client.callTool({ name: 'echo', arguments: { message: 'hi' } })), /hi/);
      const error = await client.callTool({ name: 'count', arguments: {} }).then(() => assert.fail('it was called'), (failure) => failure);
      assert.equal(error.code, -32602);
      assert.match(error.message, /Unknown tool: count/);
      // And over Streamable HTTP of the same server.
      const second = await connectClient(t, 'v1', url, await issuer.token(url, { groups: 'some' }));
      assert.deepEqual((await second.listTools()).tools.map((tool) => tool.name), ['echo']);
    });
  }
});
