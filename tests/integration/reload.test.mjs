// Changes while it runs: certificates, settings and documents, under open streams and sessions.

import assert from 'node:assert/strict';
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { test } from 'node:test';
import { authConfig, makeCertificate } from './harness/gateway.mjs';
import { MCP_HEADERS, PING, open, post } from './harness/http.mjs';
import { oneApp } from './harness/one_app.mjs';
import { alive } from './harness/process.mjs';
import { patience, waitFor } from './harness/wait.mjs';

function handshake(gate, options = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: gate.tlsPort, host: '127.0.0.1', servername: 'gate.example.com', rejectUnauthorized: false, ...options });
    socket.once('error', reject);
    socket.once('secureConnect', () => resolve(socket));
  });
}

async function fingerprint(gate, servername) {
  const socket = await handshake(gate, servername ? { servername } : {});
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('a renewed certificate and an added app leave 100 open streams untouched', async (t) => {
  const streams = [];
  const { gate, upstream, issuer, token } = await oneApp(t, { tls: true, handler: async (request, response) => {
    if (request.headers['x-plain']) return upstream.echo(request, response, {});
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
    streams.push(response);
  } });
  const pem = gate.certificate.pem;
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) =>
    open(i % 2 ? gate.url('app') : gate.tlsUrl('app'), { method: 'POST', body: PING, ca: pem, servername: 'gate.example.com', headers: { ...MCP_HEADERS, authorization: `Bearer ${token}` } })));
  const texts = answers.map((answer) => {
    const got = { text: '' };
    answer.stream.setEncoding('utf8').on('data', (part) => (got.text += part));
    return got;
  });
  await waitFor('100 streams', () => texts.every(({ text }) => text === 'data: first\n\n'));
  const before = gate.children();
  const old = await fingerprint(gate);

  await makeCertificate(join(gate.directory, 'tls'), 'gate.example.com');
  gate.settings.app_service.apps.push({ name: 'second', uri: upstream.uri });
  gate.writeSettings();
  gate.signal('SIGHUP');

  await waitFor('the new certificate, in every worker', async () => {
    const seen = new Set(await Promise.all(Array.from({ length: 16 }, () => fingerprint(gate))));
    return seen.size === 1 && !seen.has(old);
  });
  const second = gate.url('second');
  const secondToken = await issuer.token(second);
  await waitFor('the new app', async () => (await post(second, secondToken, { headers: { 'x-plain': '1' } })).status === 200);

  for (const stream of streams) stream.write('data: second\n\n');
  await waitFor('every stream to go on', () => texts.every(({ text }) => text === 'data: first\n\ndata: second\n\n'));
  for (const { pid } of before) assert.ok(alive(pid), 'no process was replaced');
  for (const stream of streams) stream.end();
  await waitFor('every stream to end well', () => answers.every(({ stream }) => stream.complete));
});

test('several certificates by SNI', async (t) => {
  const { gate } = await oneApp(t, { tls: true });
  const other = await makeCertificate(join(gate.directory, 'tls'), 'other.example.com');
  gate.settings.gate.listen[1].tls.certificates.push({ certificate: other.certificate, key: other.key });
  gate.writeSettings();
  gate.signal('SIGHUP');
  const first = await fingerprint(gate);
  await waitFor('the second certificate', async () => {
    const seen = new Set(await Promise.all(Array.from({ length: 16 }, () => fingerprint(gate, 'other.example.com'))));
    return seen.size === 1 && !seen.has(first);
  });
  assert.equal(await fingerprint(gate), first);
});

test('TLS 1.2 and 1.3, ALPN, and nothing older', async (t) => {
  const { gate, token } = await oneApp(t, { tls: true });
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const socket = await handshake(gate, { minVersion: version, maxVersion: version, ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(socket.getProtocol(), version);
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
  }
  await assert.rejects(handshake(gate, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }));
  const answer = await post(gate.tlsUrl('app'), token, { ca: gate.certificate.pem, servername: 'gate.example.com' });
  assert.equal(answer.status, 200);
  assert.equal(answer.json.result.headers['x-forwarded-proto'], 'https');
});

test('session tickets of one worker are good in every other', async (t) => {
  const { gate } = await oneApp(t, { tls: true, workers: 4 });
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const first = await handshake(gate, { minVersion: version, maxVersion: version });
    const session = version === 'TLSv1.2' ? first.getSession() : await new Promise((resolve) => first.once('session', resolve));
    first.destroy();
    for (let i = 0; i < 16; i++) {
      const again = await handshake(gate, { minVersion: version, maxVersion: version, session });
      assert.ok(again.isSessionReused(), `${version}, connection ${i}`);
      again.destroy();
    }
  }
});

test('wrong settings at SIGHUP change nothing', async (t) => {
  const { gate, url, token } = await oneApp(t, { tls: true });
  const before = gate.children();
  const old = await fingerprint(gate);
  const good = structuredClone(gate.settings);
  gate.settings.gate.wrokers = 7;
  gate.settings.app_service.apps = [];
  gate.writeSettings();
  gate.signal('SIGHUP');
  await gate.program.says(/gatehouse\.yaml:\d+:\d+: gate\.wrokers: [^\n]*workers/);
  assert.equal((await post(url, token)).status, 200);
  assert.equal((await gate.check()).status, 78);
  // A certificate that does not fit its key.
  gate.settings = good;
  gate.writeSettings();
  const other = await makeCertificate(join(gate.directory, 'tls'), 'third.example.com');
  copyFileSync(other.key, gate.certificate.key);
  const said = gate.log.length;
  gate.signal('SIGHUP');
  await waitFor('a word about it', () => /certificate|key/.test(gate.log.slice(said)));
  assert.equal(await fingerprint(gate), old);
  assert.equal((await post(url, token)).status, 200);
  assert.deepEqual(gate.children().map(({ pid }) => pid).sort(), before.map(({ pid }) => pid).sort());
});

// Milliseconds from a change until requests get `status`, on a live session.
async function takesEffect(change, url, token, status) {
  const written = performance.now();
  change();
  await waitFor(`status ${status}`, async () => (await post(url, token)).status === status, { every: 5 });
  return performance.now() - written;
}

test('editing an app_auth_config takes effect within a second, without SIGHUP', async (t) => {
  const { gate, issuer, url, token, upstream } = await oneApp(t);
  const write = (config) => () => gate.writeResource('issuer.yaml', authConfig('issuer', issuer, config));
  const within = async (name, ...change) => {
    const took = await takesEffect(...change);
    t.diagnostic(`${name}: ${took.toFixed(0)} ms`);
    assert.ok(took < 1000 * patience, `${name} took ${took} ms`);
  };
  assert.equal((await post(url, token)).status, 200);

  await within('audience', write({ jwt: { audience: 'https://elsewhere.example.com' } }), url, token, 401);
  await within('audience, back', write({}), url, token, 200);
  await within('labels', write({ labels: [{ name: 'team', values: ['none'] }] }), url, token, 401);
  await within('labels, back', write({}), url, token, 200);
  const [first] = issuer.keys;
  const next = await issuer.addKey('ES256');
  issuer.keys = [next];
  await within('key gone', write({}), url, token, 401);
  const newToken = await issuer.token(url);
  assert.equal((await post(url, newToken)).status, 200);
  issuer.keys = [first, next];
  await within('key, back', write({}), url, token, 200);
  const before = await gate.metrics();
  assert.equal((await post(url, newToken)).status, 200, 'an added key ends no session');
  assert.equal((await gate.metrics()).signature_checks_total, before.signature_checks_total);
  await within('file removed', () => gate.removeResource('issuer.yaml'), url, token, 401);
  await within('file, back', write({}), url, token, 200);

  const app = (name) => ({ version: 'v1', kind: 'app', metadata: { name }, spec: { uri: upstream.uri } });
  const added = await issuer.token(gate.url('added'));
  await within('app added', () => gate.writeResource('apps.yaml', app('added')), gate.url('added'), added, 200);
  await within('app removed', () => gate.removeResource('apps.yaml'), gate.url('added'), added, 401);
});

test('a broken edit changes nothing but check, the log and the status database', async (t) => {
  const { gate, issuer, url, token } = await oneApp(t);
  assert.equal((await post(url, token)).status, 200);
  assert.equal((await gate.check()).status, 0);
  const config = async () => JSON.stringify([await gate.dump('config', 'app_auth_configs'), await gate.dump('config', 'bindings'), await gate.dump('config', 'keys'), await gate.dump('config', 'apps')]);
  const before = await config();
  const said = gate.log.length;
  const [, status] = (await gate.dump('config', 'status')).find(([key]) => /issuer/.test(key));

  gate.writeResource('issuer.yaml', `version: v1
kind: app_auth_config
metadata:
  name: issuer
spec:
  app_labels:
  - name: gatehouse/app-sub-kind
    values: [mcp]
  jwt:
    issuer: ${issuer.name}
    audienc: '{{app.resource}}'
    audience: elsewhere
    static_jwks: '{"keys":[]}'
`);
  await waitFor('the status database', async () => (await gate.dump('config', 'status')).some(([, value]) => value !== status &&
    / state=7:refused file=\d+:\S+issuer\.yaml line=2:11 column=1:5 reason=\d+:spec\.jwt\.audienc: /.test(value)));
  await waitFor('the log', () => /issuer\.yaml:11:5: spec\.jwt\.audienc: [^\n]*audience/.test(gate.log.slice(said)));
  const check = await gate.check();
  assert.equal(check.status, 78);
  assert.match(check.output, /issuer\.yaml:11:5: spec\.jwt\.audienc: .*audience/);
  assert.equal(await config(), before);
  assert.equal((await post(url, token)).status, 200);
  assert.equal((await post(url, await issuer.token(url))).status, 200);
  assert.equal(await gate.metric('documents_refused_total'), 1);

  // No YAML at all.
  gate.writeResource('issuer.yaml', 'spec: [\n');
  await waitFor('the log', () => /issuer\.yaml:\d+:\d+:/.test(gate.log.slice(said).replace(/.*audienc: .*\n/g, '')));
  assert.equal((await post(url, token)).status, 200);
  gate.writeResource('issuer.yaml', authConfig('issuer', issuer));
  await waitFor('a good status', async () => (await gate.dump('config', 'status')).every(([, value]) => !/ state=7:refused /.test(value)));
  assert.equal((await post(url, token)).status, 200);
});

test('the change that makes two configs of one issuer clash is refused', async (t) => {
  const { gate, issuer, url, token } = await oneApp(t);
  assert.equal((await post(url, token)).status, 200);
  gate.writeResource('rival.yaml', authConfig('rival', issuer));
  await gate.program.says(/rival\.yaml:\d+:\d+:[^\n]*issuer\.yaml|issuer\.yaml:\d+:\d+:[^\n]*rival\.yaml/);
  assert.equal((await post(url, token)).status, 200);
  const bindings = await gate.dump('config', 'bindings');
  assert.equal(bindings.length, 1);
  assert.match(bindings[0][1], /config=6:issuer/);
});

test('a directory of documents that is away leaves them as they were, and is told without a position', async (t) => {
  const { gate, url, token } = await oneApp(t);
  const directory = join(gate.directory, 'resources.d');
  const said = gate.log.length;
  renameSync(directory, `${directory}.away`);
  await waitFor('a word about it', () => /resources\.d: cannot be read: /.test(gate.log.slice(said)));
  assert.doesNotMatch(gate.log, /:0:0:/);
  assert.equal((await post(url, token)).status, 200);
  renameSync(`${directory}.away`, directory);
  gate.writeResource('more.yaml', { version: 'v1', kind: 'app', metadata: { name: 'more' }, spec: { uri: 'mcp+http://127.0.0.1:1/mcp' } });
  await waitFor('a document that came later', () => /document_accepted: app more/.test(gate.log.slice(said)));
});
