import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** The first text in a program's output that the pattern's group catches; null when there is no such program. */
export function versionOfProgram(file: string, flag: string, pattern: RegExp): string | null {
  const { error, stdout, stderr } = spawnSync(file, [flag], { encoding: 'utf8' });
  return error === undefined ? (pattern.exec(stdout + stderr)?.[1] ?? null) : null;
}

/** The version of an installed npm package. */
export function versionOfPackage(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : 'not installed';
}
