// One client's life with harness/modern_server.mjs, written down: what only 2026-07-28 has.

import { Scenario, pages } from './scenario.mjs';
import { waitFor } from './wait.mjs';

export async function recordModern(t, subject, server) {
  const scenario = new Scenario(t, subject, { tells: true });
  const call = (name, args = {}, options) => scenario.step(`${name} ${JSON.stringify(args)}`, () => scenario.call(name, args, options));
  await scenario.step('connect', async () => {
    await scenario.open({ capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} } });
    return [scenario.client.getServerVersion(), scenario.client.getServerCapabilities(), scenario.client.getNegotiatedProtocolVersion()];
  });
  const { client } = scenario;
  await scenario.step('tools/list', () => pages((params) => client.listTools(params)));
  await call('where', { region: 'Zürich "☃"', count: 42 });
  await call('where', { region: '=?base64?x?=' });
  await call('where', {});
  await call('ask');
  await call('think');
  await call('fail');
  await call('none');
  await scenario.step('resources/list', () => client.listResources());
  await scenario.step('resources/read', () => client.readResource({ uri: 'note://one' }));
  const progress = [];
  await call('count', {}, { onprogress: (event) => progress.push(event) });
  scenario.record.push({ step: 'progress', progress });
  let subscription;
  await scenario.step('subscriptions/listen', async () => {
    subscription = await client.listen({ resourceSubscriptions: ['note://one'] });
    return subscription.honoredFilter;
  });
  await scenario.step('change', () => scenario.call('change', {}), { hears: 1 });
  await scenario.step('the end of it', () => subscription.close());
  const before = server.aborted;
  const controller = new AbortController();
  await call('wait', {}, { signal: controller.signal, onprogress: () => controller.abort('enough') });
  await waitFor('the server to see it', () => server.aborted > before);
  await client.close();
  return scenario.record;
}
