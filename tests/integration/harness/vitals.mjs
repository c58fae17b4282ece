// What a gateway's processes hold: descriptors, children, memory, readers and pages of its stores.

import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { childrenOf, privateMemory, processOf, run } from './process.mjs';

// The name by which a process is compared with its successors.
const nameOf = ({ role, slot }) => (slot === undefined ? role : `${role} ${slot}`);

// What each descriptor leads to, without the number that tells one socket or pipe from another. Only
// root may look into a process that gave up being dumped: others see none.
function descriptorsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => leadsTo(pid, fd)).filter((target) => target !== undefined).sort();
  } catch (error) {
    if (error.code === 'EACCES' && process.getuid() !== 0) return [];
    throw error;
  }
}

function leadsTo(pid, fd) {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+\]$/, ']');
  } catch {
    return undefined; // closed since
  }
}

// Anonymous memory by its proportion where it may be asked for, else what is not shared with files.
function memoryOf(pid) {
  try {
    return Number(/^Pss_Anon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]) * 1024;
  } catch {
    return privateMemory(pid);
  }
}

export function processesOf(gate) {
  return [{ ...processOf(gate.pid), role: 'master' }, ...gate.children()];
}

// { name: { pid, descriptors: [what each leads to], memory (bytes) } }. A process that ends meanwhile is left out.
export function vitalsOf(gate) {
  const vitals = {};
  for (const found of processesOf(gate)) {
    try {
      vitals[nameOf(found)] = { pid: found.pid, descriptors: descriptorsOf(found.pid), memory: memoryOf(found.pid) };
    } catch (error) {
      if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error;
    }
  }
  return vitals;
}

export const guardiansOf = (gate) => gate.children('launcher').flatMap(({ pid }) => childrenOf(pid));

// Processes, of any namespace, with this word in their environment.
export function marked(mark) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark) && processOf(pid) !== undefined;
    } catch {
      return false;
    }
  });
}

// A store's slots for readers that a living process holds, and its pages in use.
export async function storeOf(gate, environment) {
  const { stdout } = await run('mdb_stat', ['-e', '-r', '-f', join(gate.directory, 'state', environment)]);
  const number = (pattern) => Number(pattern.exec(stdout)?.[1] ?? NaN);
  return {
    readers: number(/Number of readers used: (\d+)/),
    pages: number(/Number of pages used: (\d+)/) - number(/Free pages: (\d+)/),
  };
}

// How many of `more` are left when each of `less` is taken from it once.
export function beyond(more, less) {
  const rest = [...less];
  return more.filter((item) => {
    const at = rest.indexOf(item);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

// By least squares: what `values` grow by from one to the next.
export function slope(values) {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let above = 0;
  let below = 0;
  values.forEach((value, at) => {
    above += (at - middle) * (value - mean);
    below += (at - middle) ** 2;
  });
  return below === 0 ? 0 : above / below;
}

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
