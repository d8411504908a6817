import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { CaseResult } from './case-result.ts';
import type { Mode } from './scenarios/scenario.ts';
import type { PeerName } from './servers/peer.ts';

const directory = fileURLToPath(new URL('results/', import.meta.url));
const kept = 10;

/** One run, as it is kept. */
export interface RunResult {
  /** ISO 8601, UTC. */
  date: string;
  mode: Mode;
  rounds: number;
  /** Whether the peers' Redis kept an append-only file. */
  appendOnly: boolean;
  machine: Machine;
  versions: Partial<Record<PeerName, string>>;
  cases: CaseResult[];
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  system: string;
  node: string;
  /** One minute's load average before the run: much more than 0 means that others used the machine too. */
  loadBefore: number;
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
    loadBefore: loadavg()[0]!,
  };
}

/** Writes a run beside the earlier ones and removes the oldest beyond ten. Gives the file's path. */
export function keep(run: RunResult): string {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${run.date.slice(0, 19).replaceAll(':', '-')}.json`);
  writeFileSync(file, `${JSON.stringify(run, rounded, 1)}\n`);
  for (const old of files().slice(0, -kept)) rmSync(join(directory, old));
  return file;
}

export function newest(): RunResult | null {
  const file = files().at(-1);
  return file === undefined ? null : (JSON.parse(readFileSync(join(directory, file), 'utf8')) as RunResult);
}

function files(): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .sort();
}

/** Four digits: more would be noise. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
