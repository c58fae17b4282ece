// A real identity provider (npm's oidc-provider) on loopback, whose keys are turned round, and which can fail.
//
// Tokens come from its token endpoint (client_credentials); their `sub` is the client.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { request } from './http.mjs';

// Its notices about development defaults say nothing about the gateway.
async function quietly(act) {
  const { warn, info } = console;
  console.warn = console.info = () => {};
  try {
    return await act();
  } finally {
    Object.assign(console, { warn, info });
  }
}

export async function makeProvider(issuer, configuration) {
  return quietly(async () => {
    const { Provider } = await import('oidc-provider');
    return new Provider(issuer, configuration);
  });
}

export async function makeKey(kid = randomUUID()) {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' };
}

export class IdentityProvider {
  static async start(t, keys) {
    const provider = new IdentityProvider();
    provider.fetches = 0; // of the key set
    provider.down = false;
    provider.http = createServer((incoming, response) => {
      if (provider.down) {
        incoming.socket.destroy();
        return;
      }
      if (incoming.url === '/jwks') provider.fetches++;
      provider.handle(incoming, response);
    });
    await new Promise((resolve) => provider.http.listen(0, '127.0.0.1', resolve));
    t.after(() => provider.stop());
    provider.issuer = `http://127.0.0.1:${provider.http.address().port}`;
    await provider.use(keys);
    return provider;
  }

  // From now on these keys are published, and the first one signs.
  async use(keys) {
    const provider = await makeProvider(this.issuer, {
      jwks: { keys },
      clients: [{
        client_id: 'client',
        client_secret: 'client-secret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
        id_token_signed_response_alg: 'ES256',
      }],
      ttl: { ClientCredentials: 600 },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, resource) => ({
            scope: '', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES256' } },
          }),
        },
      },
    });
    this.handle = provider.callback();
  }

  // A new access token for a resource.
  async token(resource) {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'client', client_secret: 'client-secret', resource });
    const answer = await request(`${this.issuer}/token`, {
      method: 'POST', body: body.toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return answer.json.access_token;
  }

  async stop() {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}
