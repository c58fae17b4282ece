// Plain values as a YAML document, written as a person would write it.

function scalar(value) {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (/^[A-Za-z/][A-Za-z0-9_./+-]*(:[A-Za-z0-9_./-]+)*$/.test(value) && !/^(true|false|yes|no|null|on|off|y|n)$/i.test(value)) {
    return value;
  }
  return JSON.stringify(value);
}

function lines(value, indent) {
  const pad = ' '.repeat(indent);
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      if (item === null || typeof item !== 'object') return [`${pad}- ${scalar(item)}`];
      const [first, ...rest] = lines(item, indent + 2);
      return [`${pad}- ${first.trimStart()}`, ...rest];
    });
  }
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .flatMap(([key, item]) => {
      if (item === null || typeof item !== 'object') {
        if (typeof item === 'string' && item.includes('\n')) {
          return [`${pad}${scalar(key)}: |`, ...item.trimEnd().split('\n').map((line) => `${pad}  ${line}`)];
        }
        return [`${pad}${scalar(key)}: ${scalar(item)}`];
      }
      if (Object.keys(item).length === 0) return [`${pad}${scalar(key)}: ${Array.isArray(item) ? '[]' : '{}'}`];
      return [`${pad}${scalar(key)}:`, ...lines(item, indent + 2)];
    });
}

export function yaml(...documents) {
  return documents.map((document) => lines(document, 0).join('\n') + '\n').join('---\n');
}
