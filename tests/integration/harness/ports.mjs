// Free ports of 127.0.0.1 for programs that must be told theirs. They are taken from below the
// kernel's ephemeral range, so that no outgoing connection takes one between the look and the use.

import { createServer } from 'node:net';

const LOWEST = 12_000;
const HIGHEST = 31_000;
const given = new Set();

export async function freePort() {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error('no free port');
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
