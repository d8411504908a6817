import { parseArgs } from 'node:util';
import { caseResult, faultsOf, type CaseResult } from './case-result.ts';
import { Progress } from './progress.ts';
import { writeReport } from './report.ts';
import { keep, newest, thisMachine, type RunResult } from './results.ts';
import { runRound, type Round } from './round.ts';
import { scenarios } from './scenarios/all.ts';
import type { Mode, Scenario } from './scenarios/scenario.ts';
import type { Peer, PeerName } from './servers/peer.ts';
import { isOurs, peers } from './servers/peers.ts';
import { asLines, captionOf, faultLines, goalLine, tableOf } from './table.ts';

const leftOutWhenQuick: readonly PeerName[] = ['hivemq', 'mochi'];

const usage = `npm run bench -- [options]

  --quick         seconds instead of a minute for each case: a direction, not a record
  --case NAME     only this case; may repeat (${scenarios.map(({ name }) => name).join(' ')})
  --peers A,B     only these peers (${Object.keys(peers).join(' ')}); without it a quick run leaves out ${leftOutWhenQuick.join(' and ')}
  --rounds N      rounds of which the median counts (3; quick: 1)
  --append-only   the peers' Redis keeps an append-only file (appendfsync everysec)
  --report        measures nothing: writes the newest results into docs/performance.md and .svg
`;

interface Selection {
  scenarios: readonly Scenario[];
  peers: readonly Peer[];
  mode: Mode;
  rounds: number;
  appendOnly: boolean;
}

/** Exit code: 0 well, 1 one of ours lost, doubled, reordered or broke off, 2 a wrong command line. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      case: { type: 'string', multiple: true },
      peers: { type: 'string' },
      rounds: { type: 'string' },
      'append-only': { type: 'boolean', default: false },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (values.report) {
    const run = newest();
    if (run === null) throw new UsageError('there are no results yet: run npm run bench first');
    console.log(`wrote ${writeReport(run).join(' and ')}`);
    return 0;
  }

  const selection: Selection = {
    scenarios: pick('case', scenarios, values.case),
    peers: pick('peer', Object.values(peers), values.peers?.split(',') ?? usual(values.quick)).filter(isHere),
    mode: values.quick ? 'quick' : 'full',
    rounds: wholeNumber('--rounds', values.rounds ?? (values.quick ? '1' : '3')),
    appendOnly: values['append-only'],
  };
  return report(await runAll(selection));
}

async function runAll(selection: Selection): Promise<RunResult> {
  const { mode, rounds, appendOnly } = selection;
  const machine = thisMachine();
  if (machine.loadBefore > 0.5) console.log(`This machine is busy (load ${machine.loadBefore.toFixed(1)}): the figures are noisy.`);
  const turns = selection.scenarios.flatMap((scenario) => selection.peers.filter(({ name }) => scenario.peers.includes(name)));
  const progress = new Progress(turns.length * rounds);

  const cases: CaseResult[] = [];
  for (const scenario of selection.scenarios) {
    const result = await runCase(scenario, selection, cases, progress);
    if (result === null) continue;
    progress.clear();
    print(result);
    cases.push(result);
  }
  const taking = selection.peers.filter(({ name }) => cases.some((result) => result.peers.some((peer) => peer.name === name)));
  const versions = Object.fromEntries(taking.map((peer) => [peer.name, peer.version()!]));
  return { date: new Date().toISOString(), mode, rounds, appendOnly, machine, versions, cases };
}

/** All rounds of a case. In each every peer has its turn, and another one begins. */
async function runCase(scenario: Scenario, selection: Selection, earlier: readonly CaseResult[], progress: Progress): Promise<CaseResult | null> {
  const taking = selection.peers.filter(({ name }) => scenario.peers.includes(name));
  if (taking.length === 0) return null;
  const results = new Map(taking.map((peer) => [peer, [] as Round[]]));
  for (let round = 0; round < selection.rounds; round++) {
    for (let turn = 0; turn < taking.length; turn++) {
      const peer = taking[(round + turn) % taking.length]!;
      progress.step(`${scenario.name} · round ${round + 1}/${selection.rounds} · ${peer.name}`);
      results.get(peer)!.push(await runRound(scenario, peer, selection));
    }
  }
  return caseResult(scenario, results, earlier);
}

function print(result: CaseResult): void {
  const lines = [...asLines(tableOf(result)), ...faultLines(result), ...result.goals.map(goalLine)];
  console.log(`\n${result.name}: ${captionOf(result)}\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

function report(run: RunResult): number {
  if (run.cases.length === 0) throw new UsageError('none of these peers takes part in any of these cases');
  const file = keep(run);
  const goals = run.cases.flatMap((result) => result.goals);
  const failed = run.cases.flatMap(({ name, peers: taking }) =>
    taking.filter((peer) => isOurs(peer.name)).flatMap((peer) => faultsOf(peer).map((fault) => `${name}, ${peer.name}: ${fault}`)),
  );
  console.log(`\n${file}`);
  if (goals.length > 0) console.log(`${goals.filter((goal) => goal.isReached).length} of ${goals.length} figures reached`);
  if (failed.length === 0) return 0;
  console.error(`\nFAILED: what was received is not what was sent, or a round broke off\n${failed.map((line) => `  ${line}`).join('\n')}`);
  return 1;
}

class UsageError extends Error {}

function pick<T extends { name: string }>(what: string, all: readonly T[], names: readonly string[] | undefined): readonly T[] {
  const unknown = names?.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) throw new UsageError(`no ${what} ${unknown}: ${all.map(({ name }) => name).join(' ')}`);
  return all.filter(({ name }) => names === undefined || names.includes(name));
}

function usual(isQuick: boolean): PeerName[] {
  return Object.values(peers).map(({ name }) => name).filter((name) => !isQuick || !leftOutWhenQuick.includes(name));
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new UsageError(`${option} ${text}: a whole number from 1 on`);
  return number;
}

function isHere(peer: Peer): boolean {
  const found = peer.version() !== null;
  if (!found) console.log(`${peer.name} is not on this machine and left out (${peer.howToInstall})`);
  return found;
}

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  if (!isUsage) throw error;
  console.error((error as Error).message);
  process.exitCode = 2;
}
