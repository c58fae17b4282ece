// The real program, in a directory of its own, on ports of its own.

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { request } from './http.mjs';
import { freePort } from './ports.mjs';
import { Program, alive, childrenOf, run } from './process.mjs';
import { patience, waitFor } from './wait.mjs';
import { yaml } from './yaml.mjs';

export const GATEHOUSE = resolve(process.env.GATEHOUSE_BIN ?? 'build/gatehouse');

export function temporaryDirectory(name = 'gatehouse-test') {
  return mkdtempSync(join(tmpdir(), `${name}-`));
}

// An app_auth_config document. `issuer`: an Issuer; its keys are static unless jwks_url is given.
export function authConfig(name, issuer, { labels = [{ name: 'gatehouse/app-sub-kind', values: ['mcp'] }], jwt = {}, spec = {} } = {}) {
  return {
    version: 'v1',
    kind: 'app_auth_config',
    metadata: { name },
    spec: {
      app_labels: labels,
      jwt: {
        issuer: issuer.name,
        audience: '{{app.resource}}',
        ...(jwt.jwks_url ? {} : { static_jwks: JSON.stringify(issuer.jwks) }),
        ...jwt,
      },
      ...spec,
    },
  };
}

// A self-signed certificate for a name and 127.0.0.1, by openssl: { certificate, key, pem }.
export async function makeCertificate(directory, name, file = name) {
  mkdirSync(directory, { recursive: true });
  const certificate = join(directory, `${file}.crt`);
  const key = join(directory, `${file}.key`);
  const made = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-keyout', `${key}.new`, '-out', `${certificate}.new`, '-days', '2', '-subj', `/CN=${name}`,
    '-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`]);
  if (made.status !== 0) throw new Error(made.output);
  renameSync(`${key}.new`, key);
  renameSync(`${certificate}.new`, certificate);
  return { certificate, key, pem: readFileSync(certificate, 'utf8') };
}

export class Gateway {
  // t: the test's context (its end stops the gateway).
  // options: apps, resources ({file name: [documents]}), gate (more settings), limits, workers,
  // tls (a second listener with a certificate for gate.example.com), env, debugApp, wrapper (a
  // command that executes the rest of its line).
  static async start(t, options = {}) {
    const gate = await Gateway.prepare(t, options);
    await gate.run();
    return gate;
  }

  static async prepare(t, { apps = [], resources = {}, gate: more = {}, limits, workers = 2, tls = false, env = {}, debugApp, wrapper = [] } = {}) {
    const gate = new Gateway();
    gate.directory = temporaryDirectory();
    t.after(() => gate.stop().finally(() => rmSync(gate.directory, { recursive: true, force: true })));
    gate.env = env;
    gate.wrapper = wrapper;
    gate.port = await freePort();
    gate.adminPort = await freePort();
    gate.origin = `http://127.0.0.1:${gate.port}`;
    const listen = [{ address: `127.0.0.1:${gate.port}` }];
    if (tls) {
      gate.tlsPort = await freePort();
      gate.certificate = await makeCertificate(join(gate.directory, 'tls'), 'gate.example.com');
      listen.push({ address: `127.0.0.1:${gate.tlsPort}`, tls: { certificates: [{ certificate: 'tls/gate.example.com.crt', key: 'tls/gate.example.com.key' }] } });
    }
    gate.settings = {
      version: 'v1',
      kind: 'gatehouse',
      gate: {
        public_addr: gate.origin,
        listen,
        admin_listen: `127.0.0.1:${gate.adminPort}`,
        workers,
        state_dir: 'state',
        resources_dir: 'resources.d',
        ...more,
        ...(limits ? { limits } : {}),
      },
      app_service: { enabled: true, ...(debugApp ? { debug_app: true } : {}), apps },
    };
    mkdirSync(join(gate.directory, 'resources.d'));
    gate.writeSettings();
    for (const [file, documents] of Object.entries(resources)) gate.writeResource(file, ...documents);
    return gate;
  }

  get settingsPath() {
    return join(this.directory, 'gatehouse.yaml');
  }

  writeSettings() {
    writeFileSync(this.settingsPath, yaml(this.settings));
  }

  // Writes a resource file as an editor does: whole, by rename. Text, or documents.
  writeResource(file, ...documents) {
    const path = join(this.directory, 'resources.d', file);
    writeFileSync(`${path}.tmp`, typeof documents[0] === 'string' ? documents[0] : yaml(...documents));
    renameSync(`${path}.tmp`, path);
  }

  removeResource(file) {
    unlinkSync(join(this.directory, 'resources.d', file));
  }

  async run() {
    const [command, ...args] = [...this.wrapper, GATEHOUSE, 'run', '-c', this.settingsPath];
    this.program = new Program(command, args, { name: 'gatehouse', env: this.env });
    await this.program.says(/\bREADY\b/);
    await this.ready();
  }

  async ready() {
    await waitFor('/readyz', async () => (await request(`${this.admin}/readyz`)).status === 200);
  }

  get pid() {
    return this.program.pid;
  }

  // The log comes by a pipe of its own: what an answer tells may be in it a moment later.
  async logged(pattern, times = 1) {
    const all = new RegExp(pattern, 'g');
    await waitFor(`${pattern} in the log`, () => (this.log.match(all)?.length ?? 0) >= times);
    const { length } = this.log.match(all);
    if (times > 1 && length > times) throw new Error(`${pattern} is ${length} times in the log, not ${times}`);
  }

  get log() {
    return this.program?.output ?? '';
  }

  get admin() {
    return `http://127.0.0.1:${this.adminPort}`;
  }

  url(app) {
    return `${this.origin}/mcp/apps/${app}`;
  }

  tlsUrl(app) {
    return `https://127.0.0.1:${this.tlsPort}/mcp/apps/${app}`;
  }

  // Children of master as /proc shows them, by role when one is named.
  children(role) {
    return childrenOf(this.pid).filter((child) => role === undefined || child.role === role);
  }

  async metrics() {
    const { text } = await request(`${this.admin}/metrics`);
    const values = {};
    for (const line of text.split('\n')) {
      const match = /^gatehouse_([a-z0-9_]+)(?:\{[^}]*\})? ([0-9.e+-]+)$/.exec(line);
      if (match) values[match[1]] = (values[match[1]] ?? 0) + Number(match[2]);
    }
    return values;
  }

  async metric(name) {
    const value = (await this.metrics())[name];
    if (value === undefined) throw new Error(`no metric gatehouse_${name}`);
    return value;
  }

  // mdb_stat -a: entries by database name.
  async entries(environment) {
    const stat = await run('mdb_stat', ['-a', join(this.directory, 'state', environment)]);
    if (stat.status !== 0) throw new Error(stat.output);
    const found = {};
    let name;
    for (const line of stat.stdout.split('\n')) {
      const status = /^Status of (.*)$/.exec(line);
      if (status) name = status[1];
      const count = /^ {2}Entries: (\d+)$/.exec(line);
      if (count) found[name] = Number(count[1]);
    }
    return found;
  }

  // mdb_dump -p: [key, value] pairs of a database, as they print.
  async dump(environment, database) {
    const dump = await run('mdb_dump', ['-p', '-s', database, join(this.directory, 'state', environment)]);
    if (dump.status !== 0) throw new Error(dump.output);
    const data = dump.stdout.slice(dump.stdout.indexOf('HEADER=END\n') + 11, dump.stdout.indexOf('DATA=END')).split('\n');
    const pairs = [];
    for (let i = 0; i + 1 < data.length; i += 2) pairs.push([data[i].slice(1), data[i + 1].slice(1)]);
    return pairs;
  }

  signal(name) {
    process.kill(this.pid, name);
  }

  async check() {
    return run(GATEHOUSE, ['check', '-c', this.settingsPath]);
  }

  async stop() {
    if (!this.program) return undefined;
    const children = this.children();
    // A second SIGTERM ends a drain that waits for a test's open streams.
    const force = setTimeout(() => this.program.kill('SIGTERM'), 1000 * patience);
    const ended = await this.program.stop(10_000 * patience);
    clearTimeout(force);
    await waitFor('the children to end', () => children.every(({ pid }) => !alive(pid)), { deadline: 5000 });
    const wrong = /^.*(?:ERROR: \w+Sanitizer|runtime error: |signal (?:6|11) ).*$/m.exec(this.log);
    if (wrong) throw new Error(`${wrong[0]}\n${this.log.slice(wrong.index, wrong.index + 6000)}`);
    return ended;
  }
}

// gatehouse COMMAND...: { status, stdout, output }.
export function gatehouse(...args) {
  return run(GATEHOUSE, args);
}
