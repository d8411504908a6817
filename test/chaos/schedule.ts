import { randomOf } from '../support/random.ts';

/** What can be done to a cluster, and for how long (ms). */
const durations = {
  'kill a node': [300, 6000],
  'kill two nodes': [300, 5000],
  'kill all nodes': [300, 1500],
  'freeze a node': [200, 9000],
  'drain a node': [0, 1500],
  'cut a node from Redis': [50, 8000],
  'slow a node\'s way to Redis': [1000, 6000],
  'freeze a node\'s way to Redis': [300, 9000],
  'half-open a node\'s way to Redis': [0, 0],
  'cut the clients of a node': [0, 0],
  'shut a node off from clients': [200, 4000],
  'slow a node\'s way to clients': [500, 5000],
  'freeze a node\'s way to clients': [300, 6000],
  'half-open the clients of a node': [0, 0],
  'kill Redis': [200, 4000],
  'pause Redis': [200, 5000],
  'slow Redis': [1000, 5000],
  'fill Redis': [300, 4000],
  'make Redis refuse writes': [300, 4000],
} as const satisfies Record<string, readonly [leastMs: number, mostMs: number]>;

export type FaultKind = keyof typeof durations;

export const faultKinds = Object.keys(durations) as FaultKind[];

export interface Fault {
  readonly kind: FaultKind;
  /** Which nodes it is done to, by number; none where it is Redis. */
  readonly nodes: readonly number[];
  /** From the beginning of the round. */
  readonly atMs: number;
  /** How long it lasts; what was ended is started again then. */
  readonly forMs: number;
}

/** What a fault takes for itself while it lasts: no two faults do things to the same process or way at the same time. */
function partsOf({ kind, nodes }: Pick<Fault, 'kind' | 'nodes'>): string[] {
  if (kind === 'slow Redis') return ['Redis', ...nodes.map((node) => `way to Redis of ${node}`)];
  if (kind.includes('way to Redis') || kind.includes('from Redis')) return nodes.map((node) => `way to Redis of ${node}`);
  if (kind.includes('clients')) return nodes.map((node) => `way to clients of ${node}`);
  if (kind.includes('node')) return nodes.map((node) => `node ${node}`);
  return ['Redis'];
}

const calmMs = 1500;
/** A process that was ended, or Redis with what it has to read again, needs a moment before the next thing happens to it. */
const recoveryMs = 1500;

/**
 * The faults of one round, in the order in which they begin. The same seed, round, length and number of nodes give the same
 * schedule, so a failure can be played again.
 */
export function scheduleOf(seed: number, round: number, lengthMs: number, nodeCount: number): Fault[] {
  const random = randomOf(Math.imul(seed, 0x9e3779b1) ^ Math.imul(round + 1, 0x85ebca6b));
  const between = (least: number, most: number): number => Math.round(least + random() * (most - least));
  const busyUntil = new Map<string, number>();
  const faults: Fault[] = [];
  for (let atMs = calmMs; atMs < lengthMs - calmMs; atMs += between(100, 4000)) {
    const kind = faultKinds[Math.floor(random() * faultKinds.length)]!;
    const [least, most] = durations[kind];
    // short ones more often: a fault that is over soon is as likely to hit something as a long one
    const forMs = Math.min(between(least, between(least, most)), lengthMs - atMs);
    const fault: Fault = { kind, nodes: chooseNodes(kind, nodeCount, random), atMs, forMs };
    const parts = partsOf(fault);
    if (parts.some((part) => (busyUntil.get(part) ?? 0) > atMs)) continue;
    for (const part of parts) busyUntil.set(part, atMs + forMs + recoveryMs);
    faults.push(fault);
  }
  return faults;
}

function chooseNodes(kind: FaultKind, count: number, random: () => number): number[] {
  const all = Array.from({ length: count }, (_, node) => node);
  if (kind === 'kill all nodes' || kind === 'slow Redis') return all;
  if (kind.endsWith('Redis') && !kind.includes('node')) return [];
  if (kind === 'make Redis refuse writes') return [];
  const first = Math.floor(random() * count);
  return kind === 'kill two nodes' && count > 1 ? [first, (first + 1 + Math.floor(random() * (count - 1))) % count].sort((a, b) => a - b) : [first];
}

/** One line, as it is printed. */
export function describeFault({ kind, nodes, atMs, forMs }: Fault): string {
  const whom = nodes.length === 0 ? '' : ` (${nodes.map((node) => `node ${node}`).join(', ')})`;
  return `${(atMs / 1000).toFixed(1).padStart(6)} s  ${kind}${whom}${forMs === 0 ? '' : ` for ${(forMs / 1000).toFixed(1)} s`}`;
}
