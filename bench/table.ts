import { faultsOf, ratioIn, type CaseResult, type GoalResult, type PeerResult } from './case-result.ts';
import type { FigureName } from './figures.ts';

/** A table as text: the first row is the head. */
export type Table = string[][];

interface Column {
  figure: FigureName;
  head: string;
}

const columns: readonly Column[] = [
  { figure: 'perSecond', head: '/s' },
  { figure: 'cpuMicros', head: 'CPU us' },
  { figure: 'brokerMicros', head: 'broker us' },
  { figure: 'redisMicros', head: 'redis us' },
  { figure: 'p50Ms', head: 'p50 ms' },
  { figure: 'p99Ms', head: 'p99 ms' },
  { figure: 'p999Ms', head: 'p99.9 ms' },
  { figure: 'brokerMiB', head: 'broker MiB' },
  { figure: 'brokerGrowthMiB', head: 'peak +MiB' },
  { figure: 'brokerKiBEach', head: 'KiB each' },
  { figure: 'redisMiB', head: 'redis MiB' },
  { figure: 'redisSlowestMs', head: 'redis busy ms' },
  { figure: 'storedKiBEach', head: 'KiB stored' },
  { figure: 'matchMicros', head: 'match us' },
  { figure: 'redisCommandsEach', head: 'redis cmds' },
  { figure: 'loadMicros', head: 'load us' },
  { figure: 'loadShare', head: 'load cores' },
];

/** Only said where a case asks for it: elsewhere it is noise. */
const onDemand: readonly FigureName[] = ['brokerGrowthMiB', 'brokerKiBEach', 'redisSlowestMs', 'storedKiBEach'];

/** One row for each peer, with its ratio to each of the others that are not ours. */
export function tableOf(result: CaseResult): Table {
  const shown = columns.filter((column) => isShown(column, result));
  const references = result.peers.filter(({ name }) => !name.startsWith('swarmq'));
  const head = ['', ...shown.map((column) => column.head), ...references.map(({ name }) => `/ ${name}`)];
  const rows = result.peers.map((peer) => [
    faultsOf(peer).length === 0 ? peer.name : `${peer.name} (!)`,
    ...shown.map(({ figure }) => figureText(peer.median?.[figure] ?? null)),
    ...references.map((reference) => (reference === peer ? '' : figureText(ratioIn(result, peer, reference)))),
  ]);
  return [head, ...rows];
}

/** What a table is about: its case, what its figures are per, and which figure its ratios compare. */
export function captionOf({ title, unit, figure }: CaseResult): string {
  return `${title}. Per ${unit}; the ratios are of ${headOf(figure)}.`;
}

export function faultLines(result: CaseResult): string[] {
  return result.peers.flatMap((peer: PeerResult) => faultsOf(peer).map((fault) => `(!) ${peer.name}: ${fault}`));
}

export function goalLine(goal: GoalResult): string {
  const bound = 'atMost' in goal.bound ? `at most ${figureText(goal.bound.atMost)}` : `at least ${figureText(goal.bound.atLeast)}`;
  const head = headOf(goal.figure);
  const to = goal.to === null ? '' : typeof goal.to === 'string' ? ` / ${goal.to}` : ` / the same in ${goal.to.case}`;
  const what = `${goal.of}${to}: ${head}`;
  return `${what} ${figureText(goal.value)}, to reach ${bound}: ${goal.isReached ? 'reached' : 'NOT reached'}`;
}

/** Three digits that matter, and no more. */
export function figureText(value: number | null): string {
  if (value === null) return '-';
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(digits, 3) });
}

export function asLines(table: Table): string[] {
  const widths = widthsOf(table);
  return table.map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  '));
}

export function asMarkdown(table: Table): string[] {
  const [head, ...rows] = table;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head!), `|---|${'---:|'.repeat(head!.length - 1)}`, ...rows.map(line)];
}

function headOf(figure: FigureName): string {
  return columns.find((column) => column.figure === figure)!.head;
}

function isShown({ figure }: Column, result: CaseResult): boolean {
  const isAsked = result.figure === figure || result.goals.some((goal) => goal.figure === figure);
  if (onDemand.includes(figure) && !isAsked) return false;
  return result.peers.some(({ median }) => median !== null && median[figure] !== null && median[figure] !== 0);
}

function widthsOf(table: Table): number[] {
  return table[0]!.map((_, at) => Math.max(...table.map((row) => row[at]!.length)));
}
