// The whole way of a client that knows only the app's URL: refused, told where to log in, registered,
// logged in by a browser, and served. The authorization server is real, and nobody told it of the gate.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AuthorizationServer, Credentials, logIn, openClient } from './harness/authorization_server.mjs';
import { Gateway, makeCertificate } from './harness/gateway.mjs';
import { post, request } from './harness/http.mjs';
import { startDemoServer } from './harness/mcp.mjs';
import { run } from './harness/process.mjs';
import { waitFor } from './harness/wait.mjs';

const login = (authorization, jwt) => ({
  version: 'v1', kind: 'app_auth_config', metadata: { name: 'login' },
  spec: { app_labels: { 'gatehouse/app-sub-kind': 'mcp' }, jwt: { issuer: authorization.issuer, audience: '{{app.resource}}', ...jwt } },
});

async function setUp(t, { scopes = [], jwt = {} } = {}) {
  const server = await startDemoServer(t);
  const authorization = await AuthorizationServer.start(t, { scopes });
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: server.uri }],
    resources: { 'login.yaml': [login(authorization, { jwks_url: `${authorization.issuer}/jwks`, ...jwt })] },
  });
  return { gate, authorization, url: gate.url('app') };
}

const kinds = ['v1', 'legacy', 'auto', 'modern'];

test('a client that knows only the URL', async (t) => {
  const { authorization, url } = await setUp(t);
  for (const kind of kinds) {
    await t.test(`SDK client ${kind}`, async (t) => {
      const credentials = new Credentials({ scope: 'openid' });
      authorization.requests.length = 0;
      const answer = await logIn(t, kind, url, credentials);
      assert.equal(answer.get('iss'), authorization.issuer);
      const asked = credentials.asked[0].searchParams;
      assert.equal(asked.get('resource'), url);
      assert.equal(asked.get('code_challenge_method'), 'S256');
      assert.ok(authorization.requests.includes('POST /reg'));
      const { client, connect } = openClient(t, kind, url, credentials);
      await connect();
      assert.ok((await client.listTools()).tools.some((tool) => tool.name === 'echo'));

      // A token that is good no more is refreshed without the user.
      const before = credentials.saved;
      credentials.saved = { ...before, access_token: `${before.access_token.slice(0, -6)}AAAAAA` };
      assert.ok((await client.listTools({})).tools.length > 0);
      assert.notEqual(credentials.saved.access_token, before.access_token);
      assert.equal(credentials.asked.length, 1);
    });
  }
});

test('scopes that an app asks for are told, asked for and given', async (t) => {
  const { authorization, gate, url } = await setUp(t, { scopes: ['mcp', 'tools:call'], jwt: { required_scopes: ['mcp', 'tools:call'] } });
  const { json } = await request(`${gate.origin}/.well-known/oauth-protected-resource/mcp/apps/app`);
  assert.deepEqual(json.scopes_supported, ['mcp', 'tools:call']);
  assert.deepEqual(json.authorization_servers, [authorization.issuer]);
  const challenge = (await post(url)).headers['www-authenticate'];
  assert.match(challenge, /scope="mcp tools:call"/);
  assert.equal((await post(gate.url('none'))).headers['www-authenticate'], challenge.replace(/\/app"/, '/none"'));
  for (const kind of kinds) {
    await t.test(`SDK client ${kind}`, async (t) => {
      const credentials = new Credentials();
      await logIn(t, kind, url, credentials);
      assert.equal(credentials.asked[0].searchParams.get('scope'), 'mcp tools:call');
      assert.equal(credentials.saved.scope, 'mcp tools:call');
      const { client, connect } = openClient(t, kind, url, credentials);
      await connect();
      assert.ok((await client.listTools()).tools.length > 0);
    });
  }
});

test('a token that lacks a scope is stepped up', async (t) => {
  const scopes = ['mcp', 'tools:call'];
  for (const kind of ['v1', 'modern']) {
    await t.test(`SDK client ${kind}`, async (t) => {
      const { authorization, gate, url } = await setUp(t, { scopes, jwt: { required_scopes: ['mcp'] } });
      const credentials = new Credentials();
      await logIn(t, kind, url, credentials);
      assert.equal(credentials.saved.scope, 'mcp');
      gate.writeResource('login.yaml', login(authorization, { jwks_url: `${authorization.issuer}/jwks`, required_scopes: scopes }));
      const refused = await waitFor('403', async () => {
        const answer = await post(url, credentials.saved.access_token);
        return answer.status === 403 && answer;
      });
      assert.match(refused.headers['www-authenticate'], /error="insufficient_scope".*scope="mcp tools:call"/);
      // It was registered for the first scope alone; and v1 would rather refresh, for no more than that.
      credentials.information = undefined;
      delete credentials.saved.refresh_token;
      await logIn(t, kind, url, credentials);
      assert.equal(credentials.saved.scope, 'mcp tools:call');
      const { client, connect } = openClient(t, kind, url, credentials);
      await connect();
      assert.ok((await client.listTools()).tools.length > 0);
    });
  }
});

test('TLS everywhere, with a client that is told only whom to trust', async (t) => {
  const server = await startDemoServer(t);
  const gate = await Gateway.prepare(t, { apps: [{ name: 'app', uri: server.uri }], tls: true });
  gate.settings.gate.public_addr = `https://127.0.0.1:${gate.tlsPort}`;
  gate.writeSettings();
  const { key, pem } = await makeCertificate(join(gate.directory, 'authorization'), 'login.example.com');
  const authorization = await AuthorizationServer.start(t, { scopes: ['mcp'], tls: { key: readFileSync(key), cert: pem } });
  assert.match(authorization.issuer, /^https:/);
  gate.writeResource('login.yaml', login(authorization, { static_jwks: JSON.stringify(authorization.publicKeys), required_scopes: ['mcp'] }));
  await gate.run();
  const trusted = join(gate.directory, 'trusted.pem');
  writeFileSync(trusted, gate.certificate.pem + pem);
  for (const kind of ['v1', 'modern']) {
    await t.test(`SDK client ${kind}`, async () => {
      const walk = await run(process.execPath, [fileURLToPath(new URL('harness/walk.mjs', import.meta.url)), kind, gate.tlsUrl('app')], { env: { NODE_EXTRA_CA_CERTS: trusted } });
      assert.equal(walk.status, 0, walk.output);
      const { tools, scope, iss } = JSON.parse(walk.stdout);
      assert.ok(tools.includes('echo'));
      assert.equal(scope, 'mcp');
      assert.equal(iss, authorization.issuer);
    });
  }
});
