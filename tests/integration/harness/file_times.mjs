// A reporter of node:test that says how long the tests of each file took, the longest first.

export default async function* fileTimes(events) {
  const times = new Map();
  for await (const { type, data } of events) {
    if (!['test:pass', 'test:fail'].includes(type) || data.nesting > 0 || !data.file) continue;
    times.set(data.file, (times.get(data.file) ?? 0) + data.details.duration_ms / 1000);
  }
  for (const [file, seconds] of [...times].sort((a, b) => b[1] - a[1])) yield `${seconds.toFixed(1).padStart(7)} s ${file.split('/').at(-1)}\n`;
}
