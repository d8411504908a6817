/** How fast a thing is tried again: the delay doubles from `firstMs` to `mostMs`, with full jitter above half. */
export interface BackoffTable {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** The wait before attempt `attempt` (1 = first retry), in ms: between half the step and the whole of it. */
export function backoffMs(table: BackoffTable, attempt: number, random: () => number = Math.random): number {
  const step = Math.min(table.mostMs, table.firstMs * 2 ** Math.min(attempt - 1, 30));
  return step / 2 + (random() * step) / 2;
}
