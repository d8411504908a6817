import type { LoadedConfig } from './load.ts';
import { at, settings } from './settings.ts';
import { showValue } from './show.ts';

/** Every option with its value and where the value came from, one a line. Secrets and passwords in URLs are hidden. */
export function printConfig({ config, originOf }: LoadedConfig): string {
  const lines = [...settings.values()].map(({ path, option }) => [`${path}: ${showValue(option, at(config, path))}`, originOf(path)] as const);
  const width = Math.min(60, Math.max(...lines.map(([value]) => value.length)));
  return lines.map(([value, origin]) => `${value.padEnd(width)}  # ${origin}\n`).join('');
}
