// HTTP clients: `request` for whole exchanges, Raw for bytes as a test wants them on the wire.

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { patience } from './wait.mjs';

export const PING = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
export const MCP_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

// Sends one request; resolves at the response's head: { status, headers, stream, text(), request }.
// Rejects with `code` when the connection fails.
export function open(url, { method = 'GET', headers = {}, body, agent = false, ca, servername } = {}) {
  const secure = url.startsWith('https:');
  return new Promise((resolve, reject) => {
    const outgoing = (secure ? httpsRequest : httpRequest)(url, { method, headers, agent, ca, servername });
    outgoing.once('error', reject);
    outgoing.once('response', (stream) => {
      stream.on('error', () => {});
      resolve({
        status: stream.statusCode,
        headers: stream.headers,
        stream,
        request: outgoing,
        async text() {
          const chunks = [];
          for await (const chunk of stream) chunks.push(chunk);
          return Buffer.concat(chunks).toString('utf8');
        },
      });
    });
    outgoing.end(body);
  });
}

// Sends one request and reads the answer whole: { status, headers, text, json }.
export async function request(url, options) {
  const response = await open(url, options);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    get json() {
      return JSON.parse(text);
    },
  };
}

// POSTs a JSON-RPC message (a ping by default) with a bearer token.
export function post(url, token, { body = PING, headers = {}, ...rest } = {}) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return request(url, { method: 'POST', body, headers: { ...MCP_HEADERS, ...authorization, ...headers }, ...rest });
}

// A connection on which a test writes bytes, and reads responses by RFC 9112 framing.
export class Raw {
  static async open(port, { tls, host = '127.0.0.1' } = {}) {
    const raw = new Raw();
    raw.received = Buffer.alloc(0);
    raw.waiters = [];
    raw.socket = tls ? tlsConnect({ port, host, ...tls }) : connect({ port, host, noDelay: true });
    raw.socket.on('data', (bytes) => {
      raw.received = Buffer.concat([raw.received, bytes]);
      raw.wake();
    });
    raw.socket.on('error', (error) => {
      raw.error = error;
    });
    raw.socket.on('close', () => {
      raw.closed = true;
      raw.wake();
    });
    raw.socket.on('end', () => {
      raw.ended = true;
      raw.wake();
    });
    await new Promise((resolve, reject) => {
      raw.socket.once(tls ? 'secureConnect' : 'connect', resolve);
      raw.socket.once('error', reject);
    });
    return raw;
  }

  wake() {
    for (const waiter of this.waiters.splice(0)) waiter();
  }

  write(bytes) {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  // Waits for more bytes, or the end: false at the end or after `deadline` milliseconds.
  async more(deadline = 10_000 * patience) {
    if (this.ended || this.closed) return false;
    const before = this.received.length;
    let timer;
    await Promise.race([
      new Promise((resolve) => this.waiters.push(resolve)),
      new Promise((resolve) => (timer = setTimeout(resolve, deadline))),
    ]);
    clearTimeout(timer);
    return this.received.length > before;
  }

  async until(pattern, deadline) {
    for (;;) {
      const at = this.received.indexOf(pattern);
      if (at >= 0) return at;
      if (!(await this.more(deadline))) {
        throw new Error(`no ${JSON.stringify(pattern)} in ${JSON.stringify(this.received.toString('latin1').slice(0, 2000))}`);
      }
    }
  }

  take(count) {
    const taken = this.received.subarray(0, count);
    this.received = this.received.subarray(count);
    return taken;
  }

  // The next response: { status, headers (lower case), body }. `head`: the request was HEAD.
  async response({ head = false, deadline } = {}) {
    const end = await this.until('\r\n\r\n', deadline);
    const [statusLine, ...fields] = this.take(end + 4).toString('latin1').trimEnd().split('\r\n');
    const headers = {};
    for (const field of fields) {
      const colon = field.indexOf(':');
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    const status = Number(statusLine.split(' ')[1]);
    const result = { status, statusLine, headers, body: '' };
    if (head || status === 204 || status === 304 || status < 200) return result;
    if (headers['transfer-encoding'] === 'chunked') {
      result.body = await this.chunked(deadline);
    } else if (headers['content-length'] !== undefined) {
      const size = Number(headers['content-length']);
      while (this.received.length < size && (await this.more(deadline)));
      result.body = this.take(size).toString('utf8');
    } else {
      while (await this.more(deadline));
      result.body = this.take(this.received.length).toString('utf8');
    }
    return result;
  }

  async chunked(deadline) {
    let text = '';
    for (;;) {
      const end = await this.until('\r\n', deadline);
      const size = parseInt(this.take(end + 2).toString('latin1'), 16);
      while (this.received.length < size + 2) {
        if (!(await this.more(deadline))) throw new Error('the response was cut');
      }
      text += this.take(size).toString('utf8');
      this.take(2);
      if (size === 0) return text;
    }
  }

  // Resolves when the peer has closed; false when it did not within `deadline` milliseconds.
  async closes(deadline = 10_000 * patience) {
    const end = performance.now() + deadline;
    while (!this.ended && !this.closed && performance.now() < end) await this.more(end - performance.now());
    return Boolean(this.ended || this.closed);
  }

  destroy() {
    this.socket.destroy();
  }
}

// A request's bytes for Raw.
export function bytes(line, headers, body = '') {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line}\r\n${fields.join('')}\r\n${body}`;
}
