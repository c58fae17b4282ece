// How many instructions a worker spends on a request, counted by callgrind: the same for the same program, whatever else the machine does.
//
//   instructions.mjs PROGRAMS
//
// A whole gateway runs under callgrind, twice, with LESS and MORE requests over one connection; the difference is what requests cost without start and end.
// The same token in all of them, then a new one in each, whose session is proven, judged and committed alone.
// Fails when that is over the budget in instructions.budget, by more than SLACK: a change that needs more raises the budget there, knowingly.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../integration/harness/ports.mjs';
import { Bench } from './targets.mjs';

const LESS = 500;
const MORE = 2500;
const SLACK = 0.02; // compilers' and libraries' updates
const programs = process.argv[2];
const here = dirname(fileURLToPath(import.meta.url));

function budgets() {
  const text = readFileSync(join(here, 'instructions.budget'), 'utf8');
  return Object.fromEntries(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
    const [count, ...name] = line.split(' ');
    return [name.join(' '), Number(count)];
  }));
}

// Instructions of the worker of a gateway that answered so many requests. `tokens`: writes the file of that many tokens.
async function spent(count, tokens) {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-instructions-'));
  const bench = new Bench(directory, programs, { upstream: await freePort(), gate: await freePort() });
  const counts = join(directory, 'counts');
  mkdirSync(counts);
  // Processes that dropped to other users write theirs, too.
  chmodSync(directory, 0o755);
  chmodSync(counts, 0o777);
  try {
    bench.prepare();
    await bench.upstream();
    bench.wrapper = ['valgrind', '--tool=callgrind', '--vgdb=no', '--trace-children=yes', `--callgrind-out-file=${join(counts, 'callgrind.%p')}`];
    const { plain } = await bench.gate('gate', bench.port.gate, { gate: { limits: { watchdog: '10m' } } });
    tokens(bench, 'many', count);
    await bench.pace(plain, 'many', 1);
    await bench.stop(plain);
    const report = readdirSync(counts).map((name) => readFileSync(join(counts, name), 'utf8'))
      .find((text) => /^cmd:.*--role worker/m.test(text));
    return Number(/^(?:totals|summary): (\d+)/m.exec(report)[1]);
  } finally {
    await bench.stopAll();
    rmSync(directory, { recursive: true, force: true });
  }
}

const KINDS = {
  'tools/call': (bench, name, count) => bench.file(name, `${bench.token}\n`.repeat(count)),
  'tools/call with a new token': (bench, name, count) => bench.tokens(name, count),
};

for (const [kind, tokens] of Object.entries(KINDS)) {
  const budget = budgets()[kind];
  const each = Math.round((await spent(MORE, tokens) - await spent(LESS, tokens)) / (MORE - LESS));
  console.log(`${kind}: ${each} instructions a request, of ${budget}`);
  if (each > budget * (1 + SLACK)) {
    console.log('over the budget: find what costs more, or raise it in tests/bench/instructions.budget and say why');
    process.exitCode = 1;
  } else if (each < budget * (1 - SLACK)) {
    console.log('well under the budget: lower it, so that this is kept');
  }
}
