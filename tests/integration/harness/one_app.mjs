// A gate before one app of one server, and one issuer.

import { Gateway, authConfig } from './gateway.mjs';
import { Issuer } from './issuer.mjs';
import { Upstream } from './upstream.mjs';

// `handler` is the server's; `app` makes what the app's document says beside or instead; `labels` are the config's; the other options are the gate's.
export async function oneApp(t, { handler, app, labels, ...options } = {}) {
  const upstream = await Upstream.start(handler);
  t.after(() => upstream.stop());
  const issuer = await Issuer.make();
  const gate = await Gateway.start(t, {
    apps: [{ name: 'app', uri: upstream.uri, ...app?.(upstream) }],
    resources: { 'issuer.yaml': [authConfig('issuer', issuer, { labels })] },
    ...options,
  });
  const url = gate.url('app');
  return { upstream, issuer, gate, url, token: await issuer.token(url) };
}
