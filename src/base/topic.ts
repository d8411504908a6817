/** Topic names and filters [MQTT 5, 4.7]. All functions take text that is already valid UTF-8 without U+0000. */

const PLUS = 0x2b;
const HASH = 0x23;
const SLASH = 0x2f;

/** A topic name: not empty, no wildcard, at most 65,535 bytes (the packet sees to that). [MQTT-3.3.2-2], [MQTT-4.7.3-1] */
export function isTopicName(topic: string): boolean {
  if (topic.length === 0) return false;
  for (let i = 0; i < topic.length; i++) {
    const c = topic.charCodeAt(i);
    if (c === PLUS || c === HASH) return false;
  }
  return true;
}

/** A topic filter: `#` only as the whole last level, `+` only as a whole level. [MQTT-4.7.1-1], [MQTT-4.7.1-2] */
export function isTopicFilter(filter: string): boolean {
  const { length } = filter;
  if (length === 0) return false;
  for (let i = 0; i < length; i++) {
    const c = filter.charCodeAt(i);
    if (c !== PLUS && c !== HASH) continue;
    if (i > 0 && filter.charCodeAt(i - 1) !== SLASH) return false;
    if (i + 1 < length && (c === HASH || filter.charCodeAt(i + 1) !== SLASH)) return false;
  }
  return true;
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

export interface SharedFilter {
  readonly group: string;
  readonly filter: string;
}

/** `$share/<group>/<filter>` taken apart; null when it is no shared filter; `invalid` when it is a broken one. [MQTT 5, 4.8.2] */
export function parseShared(filter: string): SharedFilter | null | 'invalid' {
  if (!filter.startsWith('$share/')) return null;
  const end = filter.indexOf('/', 7);
  if (end <= 7 || end + 1 >= filter.length) return 'invalid';
  const group = filter.slice(7, end);
  if (hasWildcard(group)) return 'invalid';
  return { group, filter: filter.slice(end + 1) };
}

/** Whether the filter matches the topic name, `$`-topics kept out of leading wildcards. [MQTT-4.7.2-1] */
export function matches(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0);
  if (topic.charCodeAt(0) === 0x24 && (first === PLUS || first === HASH)) return false;
  let f = 0;
  let t = 0;
  for (;;) {
    const c = filter.charCodeAt(f);
    if (c === HASH) return true;
    if (c === PLUS) {
      while (t < topic.length && topic.charCodeAt(t) !== SLASH) t++;
      f++;
    } else {
      while (f < filter.length && filter.charCodeAt(f) !== SLASH) {
        if (t >= topic.length || filter.charCodeAt(f) !== topic.charCodeAt(t)) return false;
        f++;
        t++;
      }
    }
    // both stand at a separator or at their end
    if (f >= filter.length) return t >= topic.length;
    // `a/#` also matches `a` [MQTT 5, 4.7.1.2]
    if (t >= topic.length) return filter.length === f + 2 && filter.charCodeAt(f + 1) === HASH;
    if (topic.charCodeAt(t) !== SLASH) return false;
    f++;
    t++;
  }
}

/** Whether everything that the inner filter matches is matched by the outer one too. Never wrongly true. */
export function covers(outer: string, inner: string): boolean {
  const a = outer.split('/');
  const b = inner.split('/');
  if (isApart(a[0], b[0])) return false;
  for (let i = 0; ; i++) {
    if (a[i] === '#') return true;
    if (a[i] === undefined || b[i] === undefined) return a[i] === b[i];
    if (b[i] === '#' || (a[i] !== '+' && a[i] !== b[i])) return false;
  }
}

/** Whether there is a topic that both filters match. */
export function overlap(one: string, other: string): boolean {
  const a = one.split('/');
  const b = other.split('/');
  if (isApart(a[0], b[0]) || isApart(b[0], a[0])) return false;
  for (let i = 0; ; i++) {
    if (a[i] === '#' || b[i] === '#') return true;
    if (a[i] === undefined || b[i] === undefined) return a[i] === b[i];
    if (a[i] !== '+' && b[i] !== '+' && a[i] !== b[i]) return false;
  }
}

/** A leading wildcard beside a `$`-level [MQTT-4.7.2-1]. */
function isApart(wild: string | undefined, level: string | undefined): boolean {
  return (wild === '+' || wild === '#') && level?.startsWith('$') === true;
}
