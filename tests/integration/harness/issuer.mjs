// An identity provider: keys, tokens good and bad (npm's jose, or by hand), and a key-set server.

import { createHmac, randomUUID, sign as cryptoSign } from 'node:crypto';
import { createServer } from 'node:http';
import { SignJWT, exportJWK, exportSPKI, generateKeyPair } from 'jose';

export const EMAIL = 'alice@example.com';

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export class Issuer {
  static async make(name = `https://${randomUUID().slice(0, 8)}.example.com`, algorithm = 'ES256') {
    const issuer = new Issuer();
    issuer.name = name;
    issuer.keys = [];
    await issuer.addKey(algorithm);
    return issuer;
  }

  async addKey(algorithm = 'ES256', kid = `key-${this.keys.length + 1}`, options = {}) {
    const pair = await generateKeyPair(algorithm, { extractable: true, ...options });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg: algorithm, use: 'sig' };
    const key = { kid, algorithm, jwk, ...pair };
    this.keys.push(key);
    return key;
  }

  get key() {
    return this.keys.at(-1);
  }

  get jwks() {
    return { keys: this.keys.map((key) => key.jwk) };
  }

  claims(audience, changes = {}) {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.name, aud: audience, sub: 'user-1', email: EMAIL, iat: now, exp: now + 600, jti: randomUUID(), ...changes };
    for (const [name, value] of Object.entries(claims)) if (value === undefined) delete claims[name];
    return claims;
  }

  // A good token, but for what `changes` (claims) and `header` say. `key`: signs in the place of
  // the newest one.
  async token(audience, changes = {}, { header = {}, key = this.key } = {}) {
    return new SignJWT(this.claims(audience, changes))
      .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: 'JWT', ...header })
      .sign(key.privateKey);
  }

  // A token from texts: header and payload as they are, signed by the newest key (ES256 only).
  signRaw(headerText, payloadText, key = this.key) {
    const input = `${encode(headerText)}.${encode(payloadText)}`;
    const signature = cryptoSign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }

  unsecured(audience, alg = 'none') {
    return `${encode({ alg, typ: 'JWT', kid: this.key.kid })}.${encode(this.claims(audience))}.`;
  }

  // HS256 with the public key as the secret: what confuses a careless verifier.
  async symmetric(audience, key = this.key) {
    const secret = await exportSPKI(key.publicKey);
    const input = `${encode({ alg: 'HS256', typ: 'JWT', kid: key.kid })}.${encode(this.claims(audience))}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  }
}

// Serves key sets on loopback: `sets` by path, changeable while it runs. `fetches` counts by path.
export class KeyServer {
  static async start(sets = {}) {
    const server = new KeyServer();
    server.sets = sets;
    server.fetches = {};
    server.broken = false;
    server.http = createServer((request, response) => {
      server.fetches[request.url] = (server.fetches[request.url] ?? 0) + 1;
      const set = server.sets[request.url];
      if (server.broken) {
        response.writeHead(500).end();
      } else if (set === undefined) {
        response.writeHead(404).end();
      } else {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(typeof set === 'string' ? set : JSON.stringify(set));
      }
    });
    await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
    return server;
  }

  url(path) {
    return `http://127.0.0.1:${this.http.address().port}${path}`;
  }

  async stop() {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}
