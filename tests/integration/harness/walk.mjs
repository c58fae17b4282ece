// A program: the whole way of a client of kind argv[2] that knows only the URL argv[3]. Prints what it
// found. Whom it trusts is in its environment, which a process can be told only at its start.

import { Credentials, logIn, openClient } from './authorization_server.mjs';

const [kind, url] = process.argv.slice(2);
const closing = [];
const t = { after: (close) => closing.push(close) };
const credentials = new Credentials();
const answer = await logIn(t, kind, url, credentials);
const { client, connect } = openClient(t, kind, url, credentials);
await connect();
const { tools } = await client.listTools();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), scope: credentials.saved.scope, iss: answer.get('iss') }));
await Promise.all(closing.map((close) => close()));
