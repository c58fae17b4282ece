// A real authorization server (npm's oidc-provider) with its login and consent pages, and those who
// meet it: a client's credentials, kept in memory, and a user with a browser.

import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { request } from './http.mjs';
import { makeClient, overHttp } from './mcp.mjs';
import { makeKey, makeProvider } from './provider.mjs';

export class AuthorizationServer {
  // `scopes`: those it knows for any resource. `tls`: { key, cert }, PEM. Anyone may register.
  static async start(t, { scopes = [], tls } = {}) {
    const server = new AuthorizationServer();
    server.requests = [];
    const listener = (incoming, response) => {
      server.requests.push(`${incoming.method} ${incoming.url.split('?')[0].replace(/\/interaction\/[^/]+/, '/interaction')}`);
      server.handle(incoming, response);
    };
    server.http = tls ? createTlsServer(tls, listener) : createServer(listener);
    await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
    t.after(() => server.stop());
    server.issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${server.http.address().port}`;
    server.key = await makeKey();
    const provider = await makeProvider(server.issuer, {
      jwks: { keys: [server.key] },
      cookies: { keys: ['a-key-of-a-test'] },
      clientDefaults: { id_token_signed_response_alg: 'ES256' },
      scopes,
      ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600, RefreshToken: 600, AuthorizationCode: 60 },
      extraTokenClaims: (_, token) => ({ email: `${token.accountId}@example.com` }),
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
      issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
      features: {
        registration: { enabled: true },
        resourceIndicators: {
          enabled: true,
          useGrantedResource: () => true,
          getResourceServerInfo: (_, resource) => ({
            scope: scopes.join(' '), audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES256' } },
          }),
        },
      },
    });
    provider.on('server_error', (_, error) => {
      server.failure = error;
    });
    server.handle = provider.callback();
    return server;
  }

  get publicKeys() {
    const { d, ...jwk } = this.key;
    return { keys: [jwk] };
  }

  async stop() {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}

// An OAuthClientProvider of either SDK that knows nothing but its own name and address.
export class Credentials {
  // `scope`: what it asks for where nobody says what is needed.
  constructor({ scope } = {}) {
    this.scope = scope;
    this.redirectUrl = 'http://127.0.0.1:9/callback'; // nobody is there: the browser stops before
    this.asked = []; // authorization URLs that the user was sent to
  }

  get clientMetadata() {
    return {
      client_name: 'gatehouse-tests',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      ...(this.scope ? { scope: this.scope } : {}),
    };
  }

  state() {
    return 'a-state';
  }

  clientInformation() {
    return this.information;
  }

  saveClientInformation(information) {
    this.information = information;
  }

  tokens() {
    return this.saved;
  }

  saveTokens(tokens) {
    this.saved = tokens;
  }

  redirectToAuthorization(url) {
    this.asked.push(url);
  }

  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }

  codeVerifier() {
    return this.verifier;
  }

  discoveryState() {
    return this.discovered;
  }

  saveDiscoveryState(state) {
    this.discovered = state;
  }

  // Each call takes what belongs to it out of memory, as the SDK asks when it was refused.
  invalidateCredentials(scope) {
    if (scope === 'all' || scope === 'client') this.information = undefined;
    if (scope === 'all' || scope === 'tokens') this.saved = undefined;
    if (scope === 'all' || scope === 'discovery') this.discovered = undefined;
  }
}

function cookiesOf(jar) {
  return [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
}

// A user with a browser: opens the address, follows redirects, logs in as `login` and consents, until
// it is sent back to `callback`. Gives the parameters that it brings there.
export async function browse(start, callback, login) {
  const jar = new Map();
  let url = String(start);
  let form;
  for (let hops = 0; hops < 20; hops++) {
    if (url.startsWith(callback)) return new URL(url).searchParams;
    const headers = { cookie: cookiesOf(jar), ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) };
    const page = await request(url, { method: form ? 'POST' : 'GET', headers, body: form });
    for (const cookie of page.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    if (page.headers.location) {
      url = new URL(page.headers.location, url).href;
      form = undefined;
      continue;
    }
    const action = /<form[^>]* action="([^"]+)"/.exec(page.text)?.[1];
    const prompt = /name="prompt" value="([^"]+)"/.exec(page.text)?.[1];
    if (page.status !== 200 || !action) throw new Error(`${page.status} at ${url}: ${page.text.slice(0, 2000)}`);
    url = new URL(action, url).href;
    form = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login, password: 'any' } : {}) }).toString();
  }
  throw new Error(`the browser is led in a circle: ${url}`);
}

// A client of that kind that is not connected yet, and what connects it.
export function openClient(t, kind, url, credentials) {
  const client = makeClient(kind);
  t.after(() => client.close().catch(() => {}));
  const transport = overHttp(kind, url, { authProvider: credentials }).transport();
  return { client, transport, connect: () => client.connect(transport) };
}

// Connects for the first time: the client is refused, and sends its user to the authorization
// server, who logs in there as `login`. Gives what the browser brought back.
export async function logIn(t, kind, url, credentials, login = 'ann') {
  const { transport, connect } = openClient(t, kind, url, credentials);
  const refused = await connect().then(() => undefined, (error) => error);
  if (!/unauthorized/i.test(String(refused))) throw new Error(`the first connection: ${refused ?? 'accepted'}`);
  const answer = await browse(credentials.asked.at(-1), credentials.redirectUrl, login);
  if (answer.get('state') !== 'a-state' || answer.get('error') !== null) throw new Error(String(answer));
  // v2 reads `iss` (RFC 9207), too.
  await transport.finishAuth(kind === 'v1' ? answer.get('code') : answer);
  return answer;
}
