// What the bench measures: the gateway, nginx, HAProxy and the floor, each pinned to one core, before one upstream on another.

import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { yaml } from '../integration/harness/yaml.mjs';

export const PROXY_CPU = '0';
export const LOAD_CPU = '1';
const ISSUER = 'https://issuer.example/realms/bench';
const AUDIENCE = 'https://gateway.example/mcp';
const APP = 'bench';
const PATIENCE = 60_000; // milliseconds for a program to listen

function childrenOf(pid) {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number));
  return children.flatMap((child) => [child, ...childrenOf(child)]);
}

// One program that listens on `port`, and all that it started.
class Target {
  constructor(name, port, { path = '/mcp', tls = false } = {}) {
    Object.assign(this, { name, port, path, tls });
  }

  get url() {
    return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}${this.path}`;
  }

  get pids() {
    return [this.process.pid, ...childrenOf(this.process.pid)];
  }

  // Nanoseconds of CPU time so far.
  cpu() {
    let sum = 0;
    for (const pid of this.pids)
      for (const task of readdirSync(`/proc/${pid}/task`))
        sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    return sum;
  }

  // KiB that its processes have for themselves (proportional set size).
  memory() {
    return this.pids.reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]), 0);
  }
}

function listens(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

// A gateway listens before it knows its apps; until then it answers 401.
async function ready(target, port) {
  for (const end = Date.now() + PATIENCE; ; await pause(20)) {
    if (await fetch(`http://127.0.0.1:${port}/readyz`).then(({ ok }) => ok, () => false)) return;
    if (target.process.exitCode !== null || Date.now() > end) throw new Error(`${target.name} does not get ready:\n${target.said}`);
  }
}

export class Bench {
  constructor(directory, programs, ports) {
    // wrapper: a command that executes the rest of its line, before a gateway.
    Object.assign(this, { directory, programs: resolve(programs), port: ports, running: [], wrapper: [] });
    mkdirSync(directory, { recursive: true });
    this.gatehouse = resolve(programs, '../gatehouse');
  }

  file(name, text) {
    const path = join(this.directory, name);
    if (text !== undefined) {
      mkdirSync(resolve(path, '..'), { recursive: true });
      writeFileSync(path, text);
    }
    return path;
  }

  async start(target, cpu, command, ...args) {
    target.process = spawn('taskset', ['-c', cpu, command, ...args], { cwd: this.directory, stdio: ['ignore', 'ignore', 'pipe'] });
    target.said = '';
    target.process.stderr.on('data', (data) => { target.said = (target.said + data).slice(-4000); });
    this.running.push(target);
    for (const end = Date.now() + PATIENCE; !(await listens(target.port)); await pause(20)) {
      if (target.process.exitCode !== null || Date.now() > end) throw new Error(`${target.name} does not listen:\n${target.said}`);
    }
    return target;
  }

  async stop(target) {
    this.running = this.running.filter((other) => other !== target);
    if (target.process.exitCode !== null || target.process.signalCode !== null) return;
    const ended = new Promise((done) => target.process.once('exit', done));
    target.process.kill('SIGTERM');
    await ended;
  }

  // One request with each token of a file, as fast as answers come; what pace.c says of it.
  async pace(target, file, connections) {
    const arguments_ = ['-c', LOAD_CPU, join(this.programs, 'pace'), String(target.port), target.path, this.file(file), String(connections)];
    const { stdout } = await promisify(execFile)('taskset', arguments_, { maxBuffer: 1 << 20 });
    const result = JSON.parse(stdout);
    if (result.bad > 0) throw new Error(`${target.name}: ${result.bad} bad answers`);
    return result;
  }

  async stopAll() {
    for (const target of [...this.running].reverse()) await this.stop(target);
  }

  // Keys, a certificate, and one token that all targets get.
  prepare() {
    const run = (command, ...args) => execFileSync(command, args, { cwd: this.directory, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
    run('rm', '-rf', 'keys', 'tls');
    run(this.gatehouse, 'token', 'keygen', '--out', 'keys');
    run('openssl', 'pkey', '-in', 'keys/key.pem', '-pubout', '-out', 'keys/public.pem');
    mkdirSync(this.file('tls'), { recursive: true });
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'tls/key.pem', '-out', 'tls/certificate.pem',
      '-days', '30', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    this.file('tls/both.pem', readFileSync(this.file('tls/certificate.pem'), 'utf8') + readFileSync(this.file('tls/key.pem'), 'utf8'));
    this.tokens('token', 1);
    this.token = readFileSync(this.file('token'), 'utf8').trim();
  }

  // A file of new tokens, about 900 bytes each, as real providers issue them.
  tokens(name, count) {
    const claims = { client_id: 'mcp-client-9c1f', azp: 'mcp-client-9c1f', scope: 'mcp:tools mcp:resources mcp:prompts openid', sid: 'e0c5d0a4-2a3c-4a55-8c0a-5f4a1f3d7b62',
      groups: ['engineering', 'staff'] };
    const text = execFileSync(this.gatehouse, ['token', 'mint', '--key', this.file('keys/key.pem'), '--issuer', ISSUER, '--audience', AUDIENCE, '--subject', 'user-{n}-7f3c-4c1e',
      '--ttl', '1d', '--count', String(count), ...Object.entries(claims).flatMap(([claim, value]) => ['--claim', `${claim}=${JSON.stringify(value)}`])], { maxBuffer: 1 << 28 });
    return this.file(name, text);
  }

  upstream() {
    return this.start(new Target('upstream', this.port.upstream), LOAD_CPU, join(this.programs, 'upstream'), String(this.port.upstream));
  }

  floor() {
    return this.start(new Target('floor', this.port.floor), PROXY_CPU, join(this.programs, 'floor'), String(this.port.floor), String(this.port.upstream), this.file('token'));
  }

  // `plain` and `tls`: two targets of one process. A role policy is on: a tool is one of three rules.
  async gate(name, port, { workers = 1, cpu = PROXY_CPU, gate = {} } = {}) {
    const settings = {
      version: 'v1', kind: 'gatehouse',
      gate: {
        public_addr: `http://127.0.0.1:${port}`,
        listen: [{ address: `127.0.0.1:${port}` }, { address: `127.0.0.1:${port + 1}`, tls: { certificates: [{ certificate: this.file('tls/certificate.pem'), key: this.file('tls/key.pem') }] } }],
        admin_listen: `127.0.0.1:${port + 2}`,
        workers, state_dir: 'state', resources_dir: 'resources',
        limits: { upstream_pool: 1024, max_sessions_per_user: 1000000, upstream_idle: '60s', ...gate.limits },
        ...Object.fromEntries(Object.entries(gate).filter(([key]) => key !== 'limits')),
      },
      app_service: { apps: [{ name: APP, uri: `mcp+http://127.0.0.1:${this.port.upstream}/mcp` }] },
    };
    const config = {
      version: 'v1', kind: 'app_auth_config', metadata: { name: 'bench' },
      spec: {
        app_labels: { 'gatehouse/app-sub-kind': ['mcp'] },
        jwt: { issuer: ISSUER, audience: AUDIENCE, username_claim: 'sub', static_jwks: readFileSync(this.file('keys/jwks.json'), 'utf8'),
          claims_to_roles: [{ claim: 'groups', value: 'engineering', roles: ['bench'] }] },
      },
    };
    const role = {
      version: 'v1', kind: 'role', metadata: { name: 'bench' },
      spec: {
        allow: { app_labels: { '*': '*' }, mcp: { tools: ['get_*', 'search_documents', 'wait'] } },
        deny: { mcp: { tools: ['delete_*'] } },
      },
    };
    this.file(`${name}/gatehouse.yaml`, yaml(settings));
    this.file(`${name}/resources/bench.yaml`, [config, role].map(yaml).join('---\n'));
    execFileSync('rm', ['-rf', this.file(`${name}/state`)]);
    const plain = new Target(name, port, { path: `/mcp/apps/${APP}` });
    await this.start(plain, cpu, ...this.wrapper, this.gatehouse, 'run', '-c', this.file(`${name}/gatehouse.yaml`));
    await ready(plain, port + 2);
    const tls = new Target(`${name} TLS`, port + 1, { path: plain.path, tls: true });
    tls.process = plain.process;
    return { plain, tls };
  }

  async nginx() {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${this.file('nginx-temporary')};`).join(' ');
    const configuration = this.file('nginx.conf', `
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid ${this.file('nginx.pid')}; error_log stderr warn;
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 18000; }
http {
  access_log off; ${temporary}
  # The request's head does not fit into the 1k of the default, which would cost nginx 12 %.
  client_header_buffer_size 4k; keepalive_requests 100000000; keepalive_timeout 600s;
  upstream server { server 127.0.0.1:${this.port.upstream}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s; }
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 3600s; proxy_send_timeout 3600s; proxy_buffer_size 4k; proxy_buffering off;
  server { listen 127.0.0.1:${this.port.nginx} backlog=4096; location / { proxy_pass http://server; } }
  server {
    listen 127.0.0.1:${this.port.nginx + 1} ssl backlog=4096; ssl_protocols TLSv1.3;
    ssl_certificate ${this.file('tls/certificate.pem')}; ssl_certificate_key ${this.file('tls/key.pem')};
    location / { proxy_pass http://server; }
  }
}
`);
    const plain = await this.start(new Target('nginx', this.port.nginx), PROXY_CPU, 'nginx', '-c', configuration);
    const tls = new Target('nginx TLS', this.port.nginx + 1, { tls: true });
    tls.process = plain.process;
    return { plain, tls };
  }

  async haproxy(name, port, { threads = 1, cpu = PROXY_CPU } = {}) {
    const query = (variable, query) => `http-request set-var(txn.${variable}) var(txn.token),${query}`;
    const unless = (condition) => `http-request deny deny_status 401 unless { ${condition} }`;
    // What any resource server has to check of a token (RFC 9068, 4).
    const verify = ['http-request set-var(txn.token) http_auth_bearer', query('alg', `jwt_header_query('$.alg')`), query('iss', `jwt_payload_query('$.iss')`),
      query('aud', `jwt_payload_query('$.aud')`), query('exp', `jwt_payload_query('$.exp','int')`), 'http-request set-var(txn.now) date()',
      unless('var(txn.alg) -m str RS256'), unless(`var(txn.iss) -m str ${ISSUER}`), unless(`var(txn.aud) -m str ${AUDIENCE}`),
      'http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }', unless(`var(txn.token),jwt_verify(txn.alg,"${this.file('keys/public.pem')}") -m int 1`)];
    // Without http-no-delay HAProxy 2.6 holds each event of a stream back for 200 ms.
    const configuration = this.file(`${name}.cfg`, `
global
  nbthread ${threads}
  maxconn 9500
  ulimit-n 20000
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 600s
  option http-keep-alive
  option http-no-delay
  http-reuse always
  backlog 4096
  default_backend servers
frontend plain
  bind 127.0.0.1:${port}
frontend tls
  bind 127.0.0.1:${port + 1} ssl crt ${this.file('tls/both.pem')}
frontend verify
  bind 127.0.0.1:${port + 2}
  ${verify.join('\n  ')}
backend servers
  server one 127.0.0.1:${this.port.upstream} maxconn 9500 pool-max-conn -1
`);
    const plain = await this.start(new Target(name, port), cpu, 'haproxy', '-f', configuration);
    const share = (target) => Object.assign(target, { process: plain.process });
    return { plain, tls: share(new Target(`${name} TLS`, port + 1, { tls: true })), verify: share(new Target(`${name} jwt_verify`, port + 2)) };
  }
}
