/** What is measured of one peer in one round of a case; null where a case does not measure it. */
export interface Figures {
  /** Messages delivered or connections made, per second. */
  perSecond: number;
  /** CPU time of all servers per message delivered (or connection made), in us; then the same of brokers and Redis. */
  cpuMicros: number;
  brokerMicros: number;
  redisMicros: number;
  p50Ms: number | null;
  p99Ms: number | null;
  p999Ms: number | null;
  /** Resident memory of all brokers when the load was over. */
  brokerMiB: number;
  /** The most they held meanwhile, above what they held before. */
  brokerGrowthMiB: number;
  /** Their growth when the load was over, per message or connection, in KB of 1024. */
  brokerKiBEach: number;
  redisMiB: number;
  /** The longest that one command kept Redis busy, in ms; 0 when that was less than a millisecond. */
  redisSlowestMs: number | null;
  /** What brokers and Redis grew by while the load stored something, for each thing stored, in KB of 1024. */
  storedKiBEach: number | null;
  /** The search for who wants one topic, by itself, in us. */
  matchMicros: number | null;
  redisCommandsEach: number;
  /** The load generator's own CPU time per message or connection, and its share of one core. */
  loadMicros: number;
  loadShare: number;
}

export type FigureName = keyof Figures;

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median of each figure by itself; null when a round lacks it. */
export function medianFigures(rounds: readonly Figures[]): Figures {
  const first = rounds[0];
  if (first === undefined) throw new RangeError('no median of nothing');
  const names = Object.keys(first) as FigureName[];
  const medians = names.map((name) => {
    const values = rounds.map((figures) => figures[name]);
    return [name, values.includes(null) ? null : median(values as number[])];
  });
  return Object.fromEntries(medians) as Figures;
}

/**
 * How two peers compare in one figure: the median of their ratios, each within one round, so that what disturbed a
 * round disturbed both sides. Rounds that one of them failed do not count. Null when there is nothing to compare.
 */
export function ratio(figure: FigureName, ours: readonly (Figures | null)[], theirs: readonly (Figures | null)[]): number | null {
  const ratios = ours.flatMap((own, round) => {
    const value = own?.[figure];
    const other = theirs[round]?.[figure];
    return value == null || other == null || other === 0 ? [] : [value / other];
  });
  return ratios.length === 0 ? null : median(ratios);
}
