// What only 2026-07-28 has is the same with the gate between as without it: questions within results,
// arguments repeated in headers, subscriptions, and disconnection as cancellation.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, authConfig } from './harness/gateway.mjs';
import { Issuer } from './harness/issuer.mjs';
import { overHttp } from './harness/mcp.mjs';
import { ModernServer } from './harness/modern_server.mjs';
import { Recorder } from './harness/recorder.mjs';
import { recordModern } from './harness/modern_scenario.mjs';
import { assertSame } from './harness/scenario.mjs';

for (const kind of ['modern', 'auto']) {
  test(`a server of 2026-07-28, SDK client ${kind}`, async (t) => {
    const server = await ModernServer.start(t);
    const recorder = await Recorder.start(t, server.port);
    const issuer = await Issuer.make();
    const gate = await Gateway.start(t, {
      apps: [{ name: 'app', uri: `mcp+${recorder.origin}/mcp` }], resources: { 'issuer.yaml': [authConfig('issuer', issuer)] },
    });
    const url = gate.url('app');
    const without = await recordModern(t, overHttp(kind, `${recorder.origin}/mcp`), server);
    const sent = recorder.take();
    const through = await recordModern(t, overHttp(kind, url, { token: await issuer.token(url) }), server);
    const received = recorder.take();
    assertSame(through, without);

    // The comparison is of something: each feature was there.
    const of = (step) => without.find((entry) => entry.step.startsWith(step));
    assert.equal(of('tools/list').result.flatMap((page) => page.tools).length, 7);
    assert.equal(sent.filter(({ body }) => body.includes('"tools/list"')).length, 4);
    assert.match(JSON.stringify(of('ask').result), /Ann/);
    assert.deepEqual(of('ask').heard.map((message) => message.request), ['elicitation/create']);
    assert.deepEqual(of('think').heard.map((message) => message.request).sort(), ['roots/list', 'sampling/createMessage']);
    assert.deepEqual(of('fail').error.data, { why: 'it does' });
    assert.equal(of('progress').progress.length, 3);
    assert.deepEqual(of('change').heard.map((message) => message.params.uri), ['note://one']);

    // The headers that repeat arguments, as the client sent them.
    const repeated = (requests) => requests.map(({ rawHeaders, body }) => ({
      body, headers: rawHeaders.flatMap((name, i) => (i % 2 === 0 && /^mcp-/i.test(name) ? [`${name.toLowerCase()}: ${rawHeaders[i + 1]}`] : [])).sort(),
    }));
    assert.deepEqual(repeated(received), repeated(sent));
    assert.ok(sent.some(({ rawHeaders }) => rawHeaders.some((name) => /^mcp-param-region$/i.test(name))));
  });
}
