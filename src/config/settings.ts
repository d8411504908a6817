import { isOption, type Option, type Table } from './option.ts';
import { options } from './schema.ts';

/** One option with the names it goes by. */
export interface Setting {
  /** In the file and in `--set`: `redis.connectTimeoutMs`. */
  readonly path: string;
  /** In the environment: `SWARMQ_REDIS_CONNECT_TIMEOUT_MS`. */
  readonly variable: string;
  readonly option: Option<unknown>;
}

/** The options of a table by path, in the order of the table. */
export function flatten(table: Table, prefix = ''): Map<string, Option<unknown>> {
  const found = new Map<string, Option<unknown>>();
  for (const [name, node] of Object.entries(table)) {
    const path = prefix + name;
    if (isOption(node)) found.set(path, node);
    else for (const [inner, option] of flatten(node, `${path}.`)) found.set(inner, option);
  }
  return found;
}

/** The inverse of `flatten`: nested values in the shape of the table. */
export function nest(table: Table, valueOf: (path: string) => unknown, prefix = ''): Record<string, unknown> {
  const entries = Object.entries(table).map(([name, node]): [string, unknown] => {
    const path = prefix + name;
    return [name, isOption(node) ? valueOf(path) : nest(node, valueOf, `${path}.`)];
  });
  return Object.fromEntries(entries);
}

/** What stands at a path inside nested values; undefined when the path ends early. */
export function at(values: unknown, path: string): unknown {
  let node = values;
  for (const name of path.split('.')) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, name)) return undefined;
    node = (node as Record<string, unknown>)[name];
  }
  return node;
}

/** The variable that names the configuration file; `--config` overrules it. */
export const fileVariable = 'SWARMQ_CONFIG';

export const settings: ReadonlyMap<string, Setting> = new Map(
  [...flatten(options)].map(([path, option]) => [path, { path, option, variable: variableOf(path) }]),
);

function variableOf(path: string): string {
  return `SWARMQ_${path.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase()}`;
}
