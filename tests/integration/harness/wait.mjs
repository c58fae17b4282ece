// Waiting for something that can be observed. Never a sleep in the place of a condition.

import { setTimeout as delay } from 'node:timers/promises';

// Slow builds (sanitizers, valgrind) set it.
export const patience = Number(process.env.TEST_PATIENCE ?? 1);

// Polls `condition` until it gives something true, which is returned. An error that it throws
// counts as "not yet", and is told when the deadline (milliseconds) passes.
export async function waitFor(what, condition, { deadline = 10_000, every = 20 } = {}) {
  const end = performance.now() + deadline * patience;
  let last;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`waited in vain for ${what}${last ? `: ${last.message}` : ''}`);
    }
    await delay(every);
  }
}

