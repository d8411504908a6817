import type { ErrorCode } from '../base/errors.ts';
import type { Counter, Metrics } from '../base/metrics.ts';

/** What the bridge counts. Each record is counted once, at its end: as sent, as poison, or as dropped. */
export interface BridgeMeters {
  /** acknowledged by Kafka, by rule */
  readonly sent: { of(rule: string): Counter };
  /** in the dead-letter topic, by reason */
  readonly poison: { of(reason: ErrorCode): Counter };
  /** lost, by reason */
  readonly dropped: { of(reason: 'outbox-full' | 'poison'): Counter };
  /** attempts that failed and are repeated, by who failed */
  readonly failures: { of(who: 'kafka' | 'store'): Counter };
  readonly batchMs: { observe(ms: number): void };
}

export function openBridgeMeters(metrics: Metrics): BridgeMeters {
  return {
    sent: metrics.counters('swarmq_bridge_records_total', 'Records that Kafka has acknowledged.', 'rule'),
    poison: metrics.counters('swarmq_bridge_poison_total', 'Records unfit for their Kafka topic, gone to the dead-letter topic.', 'reason'),
    dropped: metrics.counters('swarmq_bridge_dropped_total', 'Records that were given up.', 'reason'),
    failures: metrics.counters('swarmq_bridge_failures_total', 'Attempts that failed and are repeated.', 'of'),
    batchMs: metrics.histogram(
      'swarmq_bridge_batch_ms',
      'From sending a batch to the acknowledgement of Kafka.',
      [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 30_000],
    ),
  };
}
