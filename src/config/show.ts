import type { Option } from './option.ts';
import { at, flatten } from './settings.ts';

/** A value as a reader may see it: one line, secrets hidden, the entries of a list reduced to what was said. */
export function showValue(option: Option<unknown>, value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (option.secret === true) return '(hidden)';
  if (option.values.type === 'address') return hidePasswords(showAddress(value));
  return hidePasswords(JSON.stringify(brief(option, value)));
}

/**
 * Hides what stands between the first colon after a name and the last `@`, so that the password of a URL stays hidden
 * even when the URL is malformed or the password holds `:`, `/` or `@`.
 */
export function hidePasswords(text: string): string {
  return text.replace(/([^\s:@"'/]*):(?!\/\/)[^\s"]*@/g, '$1:***@');
}

function showAddress(value: unknown): string {
  if (typeof value !== 'object' || value === null || !('host' in value) || !('port' in value)) return JSON.stringify(value);
  const host = String(value.host);
  return JSON.stringify(`${host.includes(':') ? `[${host}]` : host}:${String(value.port)}`);
}

function brief({ values }: Option<unknown>, value: unknown): unknown {
  if (values.type !== 'records' || !Array.isArray(value)) return value;
  return value.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return entry;
    const said: Record<string, unknown> = {};
    for (const [path, option] of flatten(values.item)) {
      const inner = at(entry, path);
      if (inner !== undefined && inner !== option.default) said[path] = inner;
    }
    const names = Object.keys(said);
    return names.length === 1 && names[0] === values.shorthand ? said[names[0] ?? ''] : said;
  });
}
