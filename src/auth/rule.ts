/** Who a rule is for, by a name: any client, those without a name, or those whose name fits a pattern where `*` is any text. */
export type NameTest = 'any' | 'none' | { readonly pattern: string };

/** One rule of an access list. What it does not speak of, it does not ask about. */
export interface Rule {
  readonly allows: boolean;
  readonly user: NameTest;
  readonly client: NameTest;
  readonly publishes: boolean;
  readonly subscribes: boolean;
  /** bit n: QoS n */
  readonly qos: number;
  /** of messages published; null: either */
  readonly retain: boolean | null;
  /** may hold `${clientid}` and `${username}`; null: every topic, those with `$` too */
  readonly filter: string | null;
}

export const anyQos = 0b111;

export function fits(test: NameTest, name: string | null): boolean {
  if (test === 'any') return true;
  if (test === 'none' || name === null) return test === 'none' && name === null;
  return fitsPattern(test.pattern, name);
}

/** The one name that fits, null when there may be others. */
export function onlyName(test: NameTest): string | null {
  return typeof test === 'object' && !test.pattern.includes('*') ? test.pattern : null;
}

/** In time that grows with the lengths alone, whatever the pattern: the text between two stars is looked for once, from the left. */
function fitsPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (parts.length === 1) return name === pattern;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

const placeholder = /\$\{(clientid|username)\}/g;

/** Placeholders of other names, or none at all where one begins. */
export function hasUnknownPlaceholder(filter: string): boolean {
  return filter.replaceAll(placeholder, '').includes('${');
}

/**
 * The filter with the client's names in it. Null when one of them is absent, or holds `+`, `#` or `/`, or would make the filter begin
 * with `$`: then the client could reach what is not its own.
 */
export function fillIn(filter: string, clientId: string, username: string | null): string | null {
  let isWhole = true;
  const filled = filter.replaceAll(placeholder, (_, name: string, at: number) => {
    const value = (name === 'clientid' ? clientId : username) ?? '';
    if (value === '' || /[+#/]/.test(value) || (at === 0 && value.startsWith('$'))) isWhole = false;
    return value;
  });
  return isWhole ? filled : null;
}
