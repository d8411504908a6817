import { readFileSync } from 'node:fs';
import type { RoundResult } from './round.ts';
import { faultKinds } from './schedule.ts';

export interface Run {
  readonly seed: number;
  readonly nodes: number;
  /** messages per second of each publisher, of each kind */
  readonly perSecond: number;
  readonly roundSeconds: number;
  readonly results: readonly RoundResult[];
}

/** The figures of these runs as tables, for the page about reliability. */
export function report(runs: readonly Run[]): string {
  const rounds = runs.flatMap(({ results }) => results);
  const sum = (of: (round: RoundResult) => number): number => rounds.reduce((total, round) => total + of(round), 0);
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const spread = (of: (round: RoundResult) => number): string => {
    const sorted = rounds.map(of).sort((a, b) => a - b);
    return `${seconds(sorted[Math.floor(sorted.length / 2)] ?? 0)}, ${seconds(sorted.at(-1) ?? 0)}`;
  };
  const broken = rounds.filter(({ complaints }) => complaints.length > 0);
  const times = (kind: string): number => sum(({ faults }) => faults[kind] ?? 0);
  return [
    '| figure | |',
    '|---|---|',
    `| seeds | ${runs.map(({ seed }) => seed).join(', ')} |`,
    `| rounds, of ${runs[0]?.roundSeconds ?? 0} s of faults each | ${rounds.length} |`,
    `| faults | ${faultKinds.reduce((total, kind) => total + times(kind), 0)} |`,
    `| messages acknowledged, QoS 1 and 2 | ${sum(({ acknowledged }) => acknowledged)} |`,
    `| wills of clients that died | ${sum(({ wills }) => wills)} |`,
    `| rounds in which a promise was broken | ${broken.length} |`,
    `| longest wait for an acknowledgement in a round (median, worst) | ${spread(({ longestWaitMs }) => longestWaitMs)} |`,
    `| longest time that a client was without a node in a round (median, worst) | ${spread(({ longestAwayMs }) => longestAwayMs)} |`,
    `| from the last fault's end until all had come (median, worst) | ${spread(({ recoveryMs }) => recoveryMs)} |`,
    '',
    '| fault | times |',
    '|---|---|',
    ...faultKinds.map((kind) => `| ${kind} | ${times(kind)} |`),
  ].join('\n');
}

export function readRun(file: string): Run {
  return JSON.parse(readFileSync(file, 'utf8')) as Run;
}
