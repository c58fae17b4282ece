// One client's life with one MCP server, written down: what it asked, what it got, what it was told
// and asked meanwhile. Two such records, with and without the gate between, must be equal.
//
// A subject says how to reach the server: { kind, transport(), stdio, deaf }, where `kind` is the
// client's line ('v1', 'legacy', 'auto', 'modern') and transport() makes a new transport of that
// line: HTTP, or stdio to a bridge. `deaf`: what stands between passes nothing on that the server
// says by itself. harness/mcp.mjs makes them.

import assert from 'node:assert/strict';
import {
  CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, ResultSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { makeClient } from './mcp.mjs';
import { waitFor } from './wait.mjs';

const requestSchemas = {
  'sampling/createMessage': CreateMessageRequestSchema,
  'elicitation/create': ElicitRequestSchema,
  'roots/list': ListRootsRequestSchema,
};
const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };

// What the client answers when the server asks.
const answers = {
  'sampling/createMessage': ({ messages }) => ({
    model: 'a-model', role: 'assistant', stopReason: 'endTurn',
    content: { type: 'text', text: `an answer to ${JSON.stringify(messages.at(-1).content)}` },
  }),
  'elicitation/create': ({ mode }) => (mode === 'url'
    ? { action: 'accept' }
    : { action: 'accept', content: { name: 'Ann "the \u{1F510}" Öl', check: true, integer: 42, email: 'ann@example.com' } }),
};

// Takes out what chance and the clock decide: ids in the order of their first appearance. And the
// order of members in an error that the gate answers itself, where a client shows its bytes.
export class Normaliser {
  constructor() {
    this.ids = new Map();
  }

  text(value) {
    return value
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, (id) => this.id(id))
      .replace(/\b[0-9a-f]{32}\b/g, (id) => this.id(id))
      .replace(/\b\d{1,2}:\d{2}:\d{2}(?:\u202f| )[AP]M\b/g, '<time>')
      .replace(/\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z\b/g, '<date>')
      .replace(/\{"jsonrpc":"2\.0","error":(\{[^{}]*\}),"id":(\d+)\}/g, '{"jsonrpc":"2.0","id":$2,"error":$1}')
      .replace(/\bhttps?:\/\/127\.0\.0\.1:\d+\/(?:mcp\/apps\/[a-z-]+|mcp)\b/g, '<url>');
  }

  id(id) {
    if (!this.ids.has(id)) this.ids.set(id, `<id ${this.ids.size + 1}>`);
    return this.ids.get(id);
  }

  value(value, key) {
    if (typeof value === 'string') {
      // A blob of server-everything says when it was made.
      return key === 'blob' ? this.text(Buffer.from(value, 'base64').toString('latin1')) : this.text(value);
    }
    if (Array.isArray(value)) return value.map((item) => this.value(item));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([name, item]) => [name, this.value(item, name)]));
  }
}

// Over HTTP the server names its session in what it logs; over stdio it has none. The ids that come
// after it are numbered again.
export function withoutSession(record) {
  const ids = new Map();
  const text = JSON.stringify(record).replace(/ from session <id \d+>/g, ' ')
    .replace(/ for session (?:<id \d+>|undefined)/g, '')
    .replace(/<id \d+>/g, (id) => ids.set(id, ids.get(id) ?? `<id ${ids.size + 1}>`).get(id));
  return JSON.parse(text);
}

export class Scenario {
  constructor(t, subject, server) {
    this.t = t;
    this.subject = subject;
    this.server = subject.deaf ? { tasks: server.tasks } : server;
    this.v1 = subject.kind === 'v1';
    this.normaliser = new Normaliser();
    this.record = [];
    this.heard = [];
    this.roots = [{ uri: 'file:///home/ann', name: 'home' }];
  }

  async open(options) {
    this.transport = this.subject.transport();
    this.client = makeClient(this.subject.kind, options);
    this.t.after(() => this.client.close().catch(() => {}));
    this.client.fallbackNotificationHandler = async ({ method, params }) => {
      this.heard.push({ notification: method, params });
    };
    for (const method of Object.keys(options.capabilities)) this.answer(method);
    await this.client.connect(this.transport);
  }

  answer(capability) {
    const method = { sampling: 'sampling/createMessage', elicitation: 'elicitation/create', roots: 'roots/list' }[capability];
    const handler = async ({ params }) => {
      this.heard.push({ request: method, params: { ...params, _meta: undefined } });
      return method === 'roots/list' ? { roots: this.roots } : answers[method](params);
    };
    this.client.setRequestHandler(this.v1 ? requestSchemas[method] : method, handler);
  }

  // Writes down what `act` gives or throws, and what was heard until then and until `hears`
  // notifications and requests came. list_changed comes in numbers that only timing decides, and is
  // written once a step.
  async step(name, act, { hears = 0, keep = (value) => value } = {}) {
    const entry = { step: name };
    try {
      entry.result = keep(await act());
    } catch (error) {
      entry.error = { name: error.name, code: error.code, message: error.message, data: error.data };
    }
    if (hears > 0 && entry.error === undefined) {
      await waitFor(`${hears} messages in ${name} (${this.subject.kind}): ${JSON.stringify([entry, this.heard])}`,
        () => this.heard.filter((message) => !isListChanged(message)).length >= hears);
    }
    entry.heard = this.heard.splice(0).filter((message) => !isListChanged(message));
    this.record.push(this.normaliser.value(entry));
    return entry.result;
  }

  call(name, args, options) {
    const params = { name, arguments: args };
    return this.v1 ? this.client.callTool(params, undefined, options) : this.client.callTool(params, options);
  }

  // The server says nothing by itself in this era, but where it is asked to.
  get modern() {
    return !this.v1 && this.client.getNegotiatedProtocolVersion() === '2026-07-28';
  }

  // The last progress comes with the result, and the SDK drops it when a pipe brings both at once.
  sure(progress) {
    return this.subject.stdio || this.server.piped ? progress.filter((event) => event.progress < event.total) : progress;
  }

  request(method, params) {
    return this.client.request({ method, params }, ResultSchema);
  }
}

function isListChanged(message) {
  return /\/list_changed$/.test(message.notification ?? '');
}

// The pages of a list, as they came.
export async function pages(list) {
  const all = [];
  let cursor;
  do {
    const page = await list(cursor === undefined ? undefined : { cursor });
    all.push(page);
    cursor = page.nextCursor;
  } while (cursor !== undefined && all.length < 20);
  return all;
}

async function connect(scenario) {
  const { server } = scenario;
  const opened = await scenario.step('connect', async () => {
    await scenario.open({ capabilities });
    const { client } = scenario;
    return {
      server: client.getServerVersion(), capabilities: client.getServerCapabilities(), instructions: client.getInstructions(),
      version: client.getNegotiatedProtocolVersion?.() ?? scenario.transport.protocolVersion,
    };
    // server-everything asks for the roots 350 ms later, and says so.
  }, { hears: server.asks ? 2 : 0 });
  return opened !== undefined;
}

async function tools(scenario) {
  const { client } = scenario;
  await scenario.step('ping', () => client.ping());
  await scenario.step('tools/list', () => pages((params) => client.listTools(params)));
  await scenario.step('tools/list, a cursor of no list', () => client.listTools({ cursor: 'bogus' }));
  for (const [name, args] of [
    ['echo', { message: 'through "the" gate \\ ☃ \u{1F510} \u0001' }],
    ['get-sum', { a: 19, b: 23.5 }],
    ['get-tiny-image', {}],
    ['get-annotated-message', { messageType: 'error', includeImage: true }],
    ['get-structured-content', { location: 'Chicago' }],
    ['get-resource-links', { count: 4 }],
    ['get-resource-reference', { resourceType: 'Blob', resourceId: 2 }],
    ['echo', { message: 7 }],
    ['no-such-tool', {}],
  ]) {
    await scenario.step(`tools/call ${name} ${JSON.stringify(args)}`, () => scenario.call(name, args));
  }
  await scenario.step('twelve calls at once', () => Promise.all(Array.from({ length: 12 },
    (_, i) => scenario.call('echo', { message: `${i} ${'x'.repeat(i * 4096)}` }))));
  await scenario.step('a method of no one', () => scenario.request('no/such', {}));
}

async function progress(scenario) {
  const events = [];
  await scenario.step('progress', async () => ({
    result: await scenario.call('trigger-long-running-operation', { duration: 0.2, steps: 4 },
      { onprogress: (event) => events.push(event) }),
    progress: scenario.sure(events),
  }));
}

async function questions(scenario) {
  const asks = scenario.server.asks;
  await scenario.step('sampling', () => scenario.call('trigger-sampling-request', { prompt: 'why "?"', maxTokens: 20 }));
  await scenario.step('elicitation', () => scenario.call('trigger-elicitation-request', {}));
  await scenario.step('elicitation by URL', () => scenario.call('trigger-url-elicitation',
    { url: 'https://example.com/consent', message: 'please', elicitationId: 'e-1', sendCompletionNotification: false }));
  await scenario.step('roots', () => scenario.call('get-roots-list', {}));
  scenario.roots = [...scenario.roots, { uri: 'file:///srv', name: 'srv' }];
  await scenario.step('roots changed', () => scenario.client.sendRootsListChanged(), { hears: asks ? 2 : 0 });
  await scenario.step('roots again', () => scenario.call('get-roots-list', {}));
}

const uri = 'demo://resource/dynamic/text/1';

async function resources(scenario) {
  const { client } = scenario;
  const legacy = scenario.server.tells && !scenario.modern ? 1 : 0;
  let subscription;
  await scenario.step('resources/list', () => pages((params) => client.listResources(params)));
  await scenario.step('resources/templates/list', () => pages((params) => client.listResourceTemplates(params)));
  for (const wanted of [uri, 'demo://resource/dynamic/blob/7', 'demo://resource/static/document/features.md', 'demo://none']) {
    await scenario.step(`resources/read ${wanted}`, () => client.readResource({ uri: wanted }));
  }
  await scenario.step('subscribe', () => client.subscribeResource({ uri }), { hears: legacy });
  await scenario.step('subscriptions/listen', async () => {
    subscription = await client.listen({ resourcesListChanged: true, resourceSubscriptions: [uri] });
    return subscription.honoredFilter;
  });
  await scenario.step('updates on', () => scenario.call('toggle-subscriber-updates', {}), { hears: subscription ? 1 : legacy });
  await scenario.step('updates off', () => scenario.call('toggle-subscriber-updates', {}));
  await scenario.step('subscriptions/listen ends', () => subscription?.close());
  await scenario.step('unsubscribe', () => client.unsubscribeResource({ uri }), { hears: legacy });
  await scenario.step('a resource made', () => scenario.call('gzip-file-as-resource',
    { name: 'made.gz', data: 'data:text/plain;base64,aGVsbG8=', outputType: 'resourceLink' }));
  await scenario.step('and read', () => client.readResource({ uri: 'demo://resource/session/made.gz' }));
}

async function prompts(scenario) {
  const { client } = scenario;
  await scenario.step('prompts/list', () => pages((params) => client.listPrompts(params)));
  for (const [name, args] of [
    ['simple-prompt', undefined],
    ['args-prompt', { city: 'Málaga', state: 'ES' }],
    ['completable-prompt', { department: 'Sales', name: 'Eve' }],
    ['resource-prompt', { resourceType: 'Text', resourceId: '3' }],
    ['args-prompt', {}],
    ['no-such-prompt', {}],
  ]) {
    await scenario.step(`prompts/get ${name} ${JSON.stringify(args)}`, () => client.getPrompt({ name, arguments: args }));
  }
  for (const request of [
    { ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument: { name: 'department', value: 'S' } },
    { ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument: { name: 'name', value: '' }, context: { arguments: { department: 'Sales' } } },
    { ref: { type: 'ref/resource', uri: 'demo://resource/dynamic/text/{resourceId}' }, argument: { name: 'resourceId', value: '4' } },
    { ref: { type: 'ref/prompt', name: 'no-such-prompt' }, argument: { name: 'department', value: 'S' } },
  ]) {
    await scenario.step(`completion/complete ${JSON.stringify(request)}`, () => client.complete(request));
  }
}

async function logging(scenario) {
  const { client } = scenario;
  const random = scenario.server.tells && !scenario.modern ? 1 : 0;
  await scenario.step('logging/setLevel', () => client.setLoggingLevel('debug'));
  await scenario.step('logging on', () => scenario.call('toggle-simulated-logging', {}), { hears: random });
  // The server throws dice for the level and the text.
  const last = scenario.record.at(-1);
  last.heard = last.heard.map(({ notification }) => ({ notification }));
  await scenario.step('logging off', () => scenario.call('toggle-simulated-logging', {}));
}

async function tasks(scenario) {
  const created = await scenario.step('a task', () => scenario.request('tools/call', {
    name: 'simulate-research-query', arguments: { topic: 'gates', ambiguous: false }, task: { ttl: 60_000 },
  }), { hears: scenario.server.tells ? 1 : 0 });
  scenario.record.at(-1).heard.splice(1);
  const taskId = created?.task?.taskId ?? 'none';
  // How far it has come, only the clock knows.
  const keep = ({ taskId: id, ttl, pollInterval }) => ({ id, ttl, pollInterval });
  await scenario.step('tasks/get', () => scenario.request('tasks/get', { taskId }), { keep });
  await scenario.step('tasks/list', () => scenario.request('tasks/list', {}), { keep: ({ tasks: all }) => all?.map((task) => task.taskId) });
  await scenario.step('tasks/cancel', () => scenario.request('tasks/cancel', { taskId }));
  await scenario.step('tasks/get of none', () => scenario.request('tasks/get', { taskId: 'none' }));
  // It tells more while it lives, as far as it comes.
  for (const entry of scenario.record.slice(-4)) entry.heard = entry.heard.filter(({ notification }) => notification !== 'notifications/tasks/status');
}

// The last: its stream ends without a result, which a client may take for a cut.
async function cancellation(scenario) {
  await scenario.step('cancellation', async () => {
    const controller = new AbortController();
    await scenario.call('trigger-long-running-operation', { duration: 1, steps: 10 },
      { signal: controller.signal, onprogress: () => controller.abort('enough') });
  });
  await scenario.step('ping after it', () => scenario.client.ping());
}

// A full life. `server`: { asks: it sends requests of its own, tells: it sends notifications of its
// own, tasks: it knows tasks, piped: there is a pipe within it }.
export async function recordScenario(t, subject, server) {
  const scenario = new Scenario(t, subject, server);
  if (await connect(scenario)) {
    for (const part of [tools, progress, questions, resources, prompts, logging]) await part(scenario);
    if (server.tasks) await tasks(scenario);
    await cancellation(scenario);
    await scenario.step('the end', () => scenario.transport.terminateSession?.());
    await scenario.client.close();
  }
  return scenario.record;
}

const cutCall = { name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 6 } };

// A call whose stream is cut after its first event, and whose other events and result come by
// resumption (Last-Event-ID). `relay`: what the subject connects through. `other`: a client of the
// same server that does not; when its call, begun later, is over, so is the one whose stream was
// cut: all of it is stored, and none of it was sent. `server`: as for recordScenario.
export async function recordResumption(t, subject, server, relay, other) {
  const scenario = new Scenario(t, subject, server);
  await scenario.open({ capabilities: {} });
  const progress = [];
  const called = scenario.step('a call whose stream is cut', async () => {
    const onprogress = (event) => {
      progress.push(event);
      if (progress.length === 1) relay.shut();
    };
    return { result: await scenario.call(cutCall.name, cutCall.arguments, { onprogress }), progress: scenario.sure(progress) };
  });
  await waitFor('the cut', () => relay.isShut);
  await other.callTool(cutCall);
  assert.ok(progress.length < 6, 'the call was over before its stream could be cut');
  relay.open();
  await called;
  await scenario.client.close();
  return scenario.record;
}

export function assertSame(through, direct) {
  assert.deepEqual(through.map((entry) => entry.step), direct.map((entry) => entry.step));
  for (const [i, entry] of through.entries()) assert.deepEqual(entry, direct[i], `step "${entry.step}"`);
}
