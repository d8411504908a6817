import { parseAddress } from './endpoint.ts';
import { nearest } from './nearest.ts';
import { isOption, type Option, type RecordsKind, type Refuse, type Table } from './option.ts';
import { flatten, nest } from './settings.ts';

/** What a reader gives when it has refused the value. */
export const refused = Symbol('refused');

/**
 * Turns what a source says into the value of an option; text from the environment and the command line means the same
 * as the value it spells. Refuses what does not fit, at `path` or below it, and goes on to find the other faults.
 */
export function readValue({ values }: Option<unknown>, raw: unknown, path: string, refuse: Refuse): unknown {
  const no = (problem: string): typeof refused => {
    refuse(path, raw, problem);
    return refused;
  };
  switch (values.type) {
    case 'text': {
      if (typeof raw !== 'string') return no('is not text: put it in quotes');
      const problem = values.check?.(raw) ?? null;
      return problem === null ? raw : no(problem);
    }
    case 'integer': {
      const number = typeof raw === 'string' && /^-?\d{1,16}$/.test(raw.trim()) ? Number(raw) : raw;
      const { min, max } = values;
      const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `between ${min} and ${max}`;
      if (typeof number !== 'number' || !Number.isSafeInteger(number)) return no(`is no whole number: give one that is ${range}`);
      return number >= min && number <= max ? number : no(`is out of range: give a number that is ${range}`);
    }
    case 'boolean':
      if (raw === true || raw === 'true') return true;
      if (raw === false || raw === 'false') return false;
      return no('is neither true nor false');
    case 'choice': {
      if (typeof raw === 'string' && values.of.includes(raw)) return raw;
      const near = typeof raw === 'string' ? nearest(raw, values.of) : null;
      return no(`is none of ${values.of.join(', ')}${near === null ? '' : `: did you mean ${near}?`}`);
    }
    case 'address':
      return (typeof raw === 'string' ? parseAddress(raw) : null) ?? no('is no address: write host:port, for example 127.0.0.1:9090');
    case 'list': {
      const parts: unknown = typeof raw === 'string' ? raw.split(',').map((part) => part.trim()) : raw;
      if (!Array.isArray(parts)) return no('is no list');
      const faulty = parts.map((part: unknown, i) => {
        const problem = typeof part === 'string' ? values.check(part) : 'is not text: put it in quotes';
        if (problem !== null) refuse(`${path}[${i}]`, part, problem);
        return problem !== null;
      });
      return faulty.includes(true) ? refused : parts;
    }
    case 'records':
      return readRecords(values, raw, path, no, refuse);
  }
}

function readRecords(
  kind: RecordsKind,
  raw: unknown,
  path: string,
  no: (problem: string) => typeof refused,
  refuse: Refuse,
): unknown {
  const entries = typeof raw === 'string' ? spelledEntries(kind, raw) : raw;
  if (!Array.isArray(entries)) {
    return no(typeof raw === 'string' ? 'is no JSON list of objects' : 'is no list: begin each entry with a dash');
  }
  let faults = 0;
  const refuseCounted: Refuse = (...fault) => {
    faults++;
    refuse(...fault);
  };
  const made = entries.map((entry: unknown, i) => readEntry(kind, entry, `${path}[${i}]`, refuseCounted));
  return faults === 0 ? made : refused;
}

function spelledEntries({ shorthand }: RecordsKind, raw: string): unknown {
  if (shorthand !== undefined && !raw.trimStart().startsWith('[')) return raw.split(',').map((part) => part.trim());
  try {
    return JSON.parse(raw) as unknown;
  } catch {
    return null;
  }
}

function readEntry({ item, shorthand, make }: RecordsKind, entry: unknown, path: string, refuse: Refuse): unknown {
  const raw = typeof entry === 'string' && shorthand !== undefined ? { [shorthand]: entry } : entry;
  const said = collect(item, raw, refuse, `${path}.`);
  if (said === null) {
    refuse(path, entry, `is no object with ${Object.keys(item).join(', ')}`);
    return refused;
  }
  let isReadable = true;
  const read = (name: string, option: Option<unknown>): unknown => {
    const inner = said.get(name);
    if (inner === undefined) {
      if (!isNeeded(option)) return option.default;
      refuse(`${path}.${name}`, null, `is missing. ${option.text}`);
    } else {
      const value = readValue(option, inner, `${path}.${name}`, refuse);
      if (value !== refused) return value;
    }
    isReadable = false;
    return refused;
  };
  const values = new Map([...flatten(item)].map(([name, option]) => [name, read(name, option)]));
  if (!isReadable) return refused;
  // the values have just been read by the table that `make` was declared with
  return make(nest(item, (name) => values.get(name)) as never, (name, value, problem) => {
    refuse(`${path}.${name}`, value, problem);
  });
}

/** Whether an entry must have this field: there is no default that would pass its own check. */
function isNeeded({ values, default: value }: Option<unknown>): boolean {
  return values.type === 'text' && typeof value === 'string' && (values.check?.(value) ?? null) !== null;
}

/**
 * What a document says about the options of a table, by path: values as they stand, keys without a value left out,
 * unknown keys refused with the nearest known name. Null when the document is no object.
 */
export function collect(table: Table, document: unknown, refuse: Refuse, place = ''): Map<string, unknown> | null {
  if (!isObject(document)) return null;
  const known = flatten(table);
  const said = new Map<string, unknown>();
  const walk = (node: Record<string, unknown>, group: Table, prefix: string): void => {
    for (const [name, value] of Object.entries(node)) {
      const path = prefix + name;
      const entry = Object.hasOwn(group, name) ? group[name] : undefined;
      if (entry === undefined) refuse(place + path, null, unknownName(path, known.keys()));
      else if (value === null) continue;
      else if (isOption(entry)) said.set(path, value);
      else if (isObject(value)) walk(value, entry, `${path}.`);
      else refuse(place + path, value, `is a value, but ${path} is a group: write ${Object.keys(entry).join(', ')} under it`);
    }
  };
  walk(document, table, '');
  return said;
}

/** Says that a name is unknown, never its value: that may be a secret under a mistyped name. */
export function unknownName(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return `there is no such option${near === null ? '' : `: did you mean ${near}?`}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
