// Real MCP servers and clients from npm.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { GATEHOUSE } from './gateway.mjs';
import { freePort } from './ports.mjs';
import { Program, run } from './process.mjs';
import { waitFor } from './wait.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, '../../node_modules');
const everything = join(modules, '@modelcontextprotocol/server-everything/dist/index.js');

async function listening(program, port) {
  await waitFor(`${program.name} on port ${port}`, () => new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  }), { deadline: 30_000 }).catch((error) => {
    throw new Error(`${error.message}\n${program.output}`);
  });
}

async function serve(t, name, command, args, port, env) {
  const program = new Program(command, args, { name, env });
  t.after(() => program.stop());
  await listening(program, port);
  return { program, port, uri: `mcp+http://127.0.0.1:${port}/mcp` };
}

// `transport`: streamableHttp, or sse (at /sse, where `uri` does not lead). `again`: the port of one that was killed.
export async function startEverything(t, transport = 'streamableHttp', again = undefined) {
  const port = again ?? await freePort();
  return serve(t, 'server-everything', process.execPath, ['--require', join(here, 'loopback.cjs'), everything, transport], port, { PORT: String(port) });
}

export async function startMcpProxy(t) {
  const port = await freePort();
  return serve(t, 'mcp-proxy', process.execPath, ['--require', join(here, 'loopback.cjs'), join(modules, '.bin/mcp-proxy'), '--host', '127.0.0.1', '--port', String(port),
    '--server', 'stream', '--', process.execPath, everything, 'stdio'], port);
}

export async function startDemoServer(t) {
  const port = await freePort();
  return serve(t, 'demo-server', GATEHOUSE, ['demo-server', '--listen', `127.0.0.1:${port}`], port);
}

const information = { name: 'gatehouse-tests', version: '1.0.0' };

// A client of kind 'v1', 'legacy', 'auto' or 'modern'.
export function makeClient(kind, options = {}) {
  if (kind === 'v1') return new ClientV1(information, options);
  return new ClientV2(information, { ...options, versionNegotiation: { mode: kind === 'modern' ? { pin: '2026-07-28' } : kind } });
}

// A connected client. t.after closes it. options: capabilities, of the client.
export async function connectClient(t, kind, url, token, options = {}) {
  const client = makeClient(kind, options);
  t.after(() => client.close().catch(() => {}));
  await client.connect(overHttp(kind, url, { token }).transport());
  return client;
}

// Ways to a server, for harness/scenario.mjs: { kind, transport(), stdio, deaf }.

export function overHttp(kind, url, { token, ...options } = {}) {
  const Transport = kind === 'v1' ? TransportV1 : TransportV2;
  const requestInit = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } };
  return { kind, transport: () => new Transport(new URL(url), { requestInit, ...options }) };
}

// For a v1 client whose streams may end with an error: a second later it takes them for cut and asks
// for the rest, and server-everything then sends again what it sent on any stream since.
export const noResumption = { reconnectionOptions: { initialReconnectionDelay: 1000, maxReconnectionDelay: 1000, reconnectionDelayGrowFactor: 1, maxRetries: 0 } };

// `command` speaks MCP on its standard input and output.
export function overStdio(kind, command, args, env = {}) {
  const Transport = kind === 'v1' ? StdioV1 : StdioV2;
  return {
    kind,
    stdio: true,
    transport: () => new Transport({ command, args, env: { PATH: process.env.PATH, ...env }, stderr: 'ignore' }),
  };
}

export function overMcpRemote(t, kind, url, { token = 'none', protocol = 'legacy', env } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-mcp-remote-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return overStdio(kind, process.execPath, [join(modules, 'mcp-remote/dist/proxy.js'), url, '--allow-http', '--transport', 'http-only',
    '--protocol', protocol, '--silent', '--header', `Authorization: Bearer ${token}`], { HOME: directory, MCP_REMOTE_CONFIG_DIR: directory, ...env });
}

export function overSupergateway(kind, url, { token = 'none', env } = {}) {
  const bridge = overStdio(kind, process.execPath, [join(modules, '.bin/supergateway'), '--streamableHttp', url, '--outputTransport', 'stdio',
    '--logLevel', 'none', '--header', `Authorization: Bearer ${token}`], env);
  return { ...bridge, deaf: true };
}

// The inspector without a browser: { status, stdout, output }.
export function inspector(url, token, ...args) {
  return run(process.execPath, [join(modules, '.bin/mcp-inspector'), '--cli', url, '--transport', 'http',
    ...(token === undefined ? [] : ['--header', `Authorization: Bearer ${token}`]), '--format', 'json', ...args],
  { env: { MCP_INSPECTOR_SECRET_STORE: 'memory' } });
}

