/**
 * The chaos suite as a command: `npm run chaos -- --minutes 30 --seed 7`.
 *
 * Real nodes, a real Redis, faults by a schedule that follows from the seed, and a ledger that judges each round. Ends with 0
 * when every promise held, with 1 when one was broken (the seed and the schedule of that round are printed), with 2 when it
 * could not run.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { quickLease } from './load.ts';
import { readRun, report, type Run } from './report.ts';
import { playRound, type RoundResult } from './round.ts';
import { describeFault, scheduleOf } from './schedule.ts';
import { buildStage, type Stage } from './stage.ts';

const help = `npm run chaos -- [options]

  --minutes N        how long, in rounds of a minute                        (default 10)
  --seed N           which faults: the same seed gives the same schedules   (default: a random one, printed)
  --nodes N          how many nodes                                         (default 3)
  --config FILE      the nodes' configuration file, without redis, listeners and admin
  --round N          only this round of the seed
  --round-seconds N  how long faults go on in a round                       (default 45)
  --rate N           messages per second of each of 4 publishers, 4 kinds   (default 20)
  --out FILE         what each round showed, as JSON
  --report FILES     the figures of earlier runs, from their --out files, as tables
  --logs FOLDER      where the nodes' logs go after a failure               (default .swarmq/chaos)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    nodes: { type: 'string', default: '3' },
    config: { type: 'string' },
    round: { type: 'string' },
    'round-seconds': { type: 'string', default: '45' },
    rate: { type: 'string', default: '20' },
    out: { type: 'string' },
    logs: { type: 'string', default: '.swarmq/chaos' },
    report: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const settlingSeconds = 15;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function number(name: 'minutes' | 'nodes' | 'round-seconds' | 'rate'): number {
  const value = Number(values[name]);
  if (!(value > 0)) throw new Error(`--${name} ${values[name]} is no number above 0`);
  return value;
}

function summary({ round, faults, acknowledged, wills, recoveryMs, longestWaitMs, complaints }: RoundResult): string {
  const count = Object.values(faults).reduce((sum, n) => sum + n, 0);
  const verdict = complaints.length === 0 ? 'all promises held' : 'BROKEN';
  return `round ${round}: ${count} faults, ${acknowledged} acknowledged, ${wills} wills; longest wait ${(longestWaitMs / 1000).toFixed(1)} s, recovered in ${(recoveryMs / 1000).toFixed(1)} s: ${verdict}`;
}

function keepLogs(stage: Stage): void {
  mkdirSync(values.logs, { recursive: true });
  for (const [i, node] of [...stage.former, ...stage.nodes].entries()) writeFileSync(join(values.logs, `${String(i).padStart(3, '0')}-${node.id}.log`), node.output);
}

async function main(): Promise<number> {
  if (values.help) {
    print(help);
    return 0;
  }
  if (values.report) {
    print(report(positionals.map(readRun)));
    return 0;
  }
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed);
  const nodeCount = number('nodes');
  const lengthMs = number('round-seconds') * 1000;
  const rounds = Math.max(1, Math.round((number('minutes') * 60_000) / (lengthMs + settlingSeconds * 1000)));
  const config = values.config === undefined ? undefined : (parse(readFileSync(values.config, 'utf8')) as Record<string, unknown>);
  const chosen = values.round === undefined ? Array.from({ length: rounds }, (_, n) => n) : [Number(values.round)];
  print(`seed ${seed}: ${chosen.length} rounds, ${nodeCount} nodes`);
  const stage = await buildStage(nodeCount, config === undefined ? { set: quickLease } : { config });
  const results: RoundResult[] = [];
  for (const round of chosen) {
    const faults = scheduleOf(seed, round, lengthMs, nodeCount);
    const tell = (line: string): void => {
      print(`  ${line}`);
    };
    const result = await playRound(stage, { seed, round, faults, lengthMs, perSecond: number('rate'), tell });
    results.push(result);
    print(summary(result));
    const run: Run = { seed, nodes: nodeCount, perSecond: number('rate'), roundSeconds: lengthMs / 1000, results };
    if (values.out !== undefined) writeFileSync(values.out, JSON.stringify(run, null, 1));
    if (result.complaints.length > 0) {
      print(`\nseed ${seed}, round ${round}:\n${faults.map(describeFault).join('\n')}\n\n${result.complaints.join('\n')}`);
      print(`\nAgain: npm run chaos -- --seed ${seed} --round ${round} --nodes ${nodeCount} --round-seconds ${lengthMs / 1000} --rate ${number('rate')}`);
      keepLogs(stage);
      print(`The nodes' logs are in ${values.logs}.`);
      await stage.stop();
      return 1;
    }
  }
  await stage.stop();
  const total = results.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  print(`seed ${seed}: ${results.length} rounds, ${total} acknowledged messages, nothing lost, doubled or out of order`);
  return 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    print(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(2);
  },
);
