/**
 * One option: all that anyone needs to know about it. Reading, checking, printing, the reference and the command line
 * work from this alone.
 *
 * `V` is the value a finished configuration holds, so the type of the whole configuration follows from the table.
 */
export interface Option<V> {
  readonly text: string;
  readonly default: V;
  /** For a default that differs from start to start: makes it; `default` then only says so in the reference. */
  readonly makeDefault?: () => V;
  readonly values: ValueKind;
  readonly unit?: 'ms' | 's' | 'bytes' | 'messages' | 'records' | 'connections' | 'per second';
  /** Never printed, not even in a fault. Passwords inside URLs are hidden anyway. */
  readonly secret?: true;
  /** Takes effect without a restart, when the process is told to read its configuration again. */
  readonly reloadable?: true;
  /** As the command line declares it, for example `--redis <url>`. */
  readonly flag?: string;
}

/** What an option accepts. */
export type ValueKind =
  | { readonly type: 'text'; readonly check?: Check }
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  | { readonly type: 'boolean' }
  | { readonly type: 'choice'; readonly of: readonly string[] }
  | { readonly type: 'address' }
  | { readonly type: 'list'; readonly check: Check }
  | RecordsKind;

/** A list of objects, each with its own table. */
export interface RecordsKind {
  readonly type: 'records';
  readonly item: Table;
  /** The one key that a plain text stands for: `- mqtt://…` is short for `- url: mqtt://…`. */
  readonly shorthand?: string;
  /** Turns the values of one item into what the configuration holds, and refuses what does not fit together. */
  readonly make: (values: never, refuse: Refuse) => unknown;
}

/** What is wrong with the text and what to do, or null. */
export type Check = (text: string) => string | null;

/** Reports a fault of the item at `path` inside it. */
export type Refuse = (path: string, value: unknown, problem: string) => void;

/** Options by name, in nested groups. */
export interface Table {
  readonly [name: string]: Option<unknown> | Table;
}

/** The finished values of a table. */
export type Values<T> = { readonly [K in keyof T]: T[K] extends Option<infer V> ? V : Values<T[K]> };

export interface Address {
  readonly host: string;
  readonly port: number;
}

export function isOption(node: Option<unknown> | Table): node is Option<unknown> {
  return typeof node.text === 'string';
}

type About<V> = Omit<Option<V>, 'values'>;

export function text(about: About<string> & { check?: Check }): Option<string> {
  const { check, ...option } = about;
  return { ...option, values: check === undefined ? { type: 'text' } : { type: 'text', check } };
}

/** Text that may be absent: null then. */
export function optionalText(about: Omit<About<string | null>, 'default'> & { check?: Check }): Option<string | null> {
  const { check, ...option } = about;
  return { ...option, default: null, values: check === undefined ? { type: 'text' } : { type: 'text', check } };
}

export function integer(about: About<number> & { min: number; max?: number }): Option<number> {
  const { min, max = Number.MAX_SAFE_INTEGER, ...option } = about;
  return { ...option, values: { type: 'integer', min, max } };
}

export function toggle(about: About<boolean>): Option<boolean> {
  return { ...about, values: { type: 'boolean' } };
}

export function choice<const V extends string>(of: readonly V[], about: About<NoInfer<V>>): Option<V> {
  return { ...about, values: { type: 'choice', of } };
}

/** `host:port`, or nothing. */
export function optionalAddress(about: Omit<About<Address | null>, 'default'>): Option<Address | null> {
  return { ...about, default: null, values: { type: 'address' } };
}

export function list(about: About<readonly string[]> & { check: Check }): Option<readonly string[]> {
  const { check, ...option } = about;
  return { ...option, values: { type: 'list', check } };
}

export function records<T extends Table, V>(
  item: T,
  about: About<readonly V[]> & { shorthand?: keyof T & string; make: (values: Values<T>, refuse: Refuse) => V },
): Option<readonly V[]> {
  const { make, shorthand, ...option } = about;
  return { ...option, values: { type: 'records', item, make, ...(shorthand === undefined ? {} : { shorthand }) } };
}
