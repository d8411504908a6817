import type { Config } from './schema.ts';
import { at, settings } from './settings.ts';

export interface Change {
  readonly path: string;
  readonly isReloadable: boolean;
}

/** The options that differ between two configurations. A name that is made anew at each start does not count. */
export function changes(before: Config, after: Config): Change[] {
  return [...settings.values()]
    .filter(({ path, option }) => option.makeDefault === undefined && JSON.stringify(at(before, path)) !== JSON.stringify(at(after, path)))
    .map(({ path, option }) => ({ path, isReloadable: option.reloadable === true }));
}
