// Both environments as files: damage for them, and proof that they are sound.

import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './process.mjs';
import { waitFor } from './wait.mjs';

const PAGE = 4096;

function change(path, edit) {
  const file = openSync(path, 'r+');
  try {
    return edit(file);
  } finally {
    closeSync(file);
  }
}

// Zeroes every page but the two that hold the roots.
export function damage(gate, environment) {
  change(join(gate.directory, 'state', environment, 'data.mdb'), (file) => {
    const size = fstatSync(file).size - 2 * PAGE;
    writeSync(file, Buffer.alloc(size), 0, size, 2 * PAGE);
  });
}

// The lock file as a worker that was taken over could write it.
export class LockFile {
  constructor(gate, environment) {
    this.directory = join(gate.directory, 'state', environment);
    this.path = join(this.directory, 'lock.mdb');
  }

  async lastTransaction() {
    const { stdout } = await run('mdb_stat', ['-e', this.directory]);
    return BigInt(/Last transaction ID: (\d+)/.exec(stdout)[1]);
  }

  // Where LMDB keeps the number of the transaction that readers begin from.
  async find() {
    const last = await this.lastTransaction();
    const head = Buffer.alloc(64);
    change(this.path, (file) => readSync(file, head, 0, head.length, 0));
    for (let at = 48; at < head.length; at += 8) if (head.readBigUInt64LE(at) === last) return { at, last };
    throw new Error(`no ${last} in the lock file`);
  }

  write(at, value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    change(this.path, (file) => writeSync(file, bytes, 0, 8, at));
  }

  // Has readers begin from the transaction before the newest one.
  async turnBack() {
    const { at, last } = await this.find();
    this.write(at, last - 1n);
    return last;
  }

  // Takes the writers' mutex for a process that never gives it back: the mutex begins the file's
  // second cache line, and its first word is its owner's thread id.
  holdWriter(pid) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(pid);
    change(this.path, (file) => writeSync(file, bytes, 0, 4, 64));
  }
}

// Every page is reachable or free, and each session stands in both indexes, which hold no other.
// Gives the ids of the sessions.
export async function assertSound(gate) {
  for (const environment of ['config', 'sessions']) {
    const copy = await run('sh', ['-c', 'mdb_copy -c "$0" >/dev/null', join(gate.directory, 'state', environment)]);
    assert.equal(copy.status, 0, `${environment}: ${copy.output}`);
  }
  // Each dump is a snapshot of its own, and the janitor may be sweeping.
  return waitFor('indexes that agree', async () => {
    // What has another part is the continuation of a long record.
    const keys = (await gate.dump('sessions', 'sessions')).map(([key]) => key.split('/')).filter((parts) => parts.length === 3);
    const byId = (await gate.dump('sessions', 'sessions_by_id')).map(([key, place]) => `${place}/${key}`);
    assert.deepEqual(byId.sort(), keys.map(([seconds, turn, id]) => `${seconds}/${turn}/${id.slice(0, 20)}`).sort(), 'sessions_by_id');
    const byUser = (await gate.dump('sessions', 'sessions_by_user')).map(([key]) => key.split('/').slice(2).join('/'));
    assert.deepEqual(byUser.sort(), keys.map(([, turn, id]) => `${turn}/${id.slice(0, 20)}`).sort(), 'sessions_by_user');
    return new Set(keys.map(([, , id]) => id));
  }, { deadline: 5000 });
}
