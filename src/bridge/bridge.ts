import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { BridgeRule } from '../config/bridge-rule.ts';
import type { OutboxRef } from '../store/outboxes.ts';
import type { Store } from '../store/store.ts';
import { openKafkaClient, type KafkaSettings } from './client.ts';
import { Complaints } from './complaints.ts';
import type { KafkaClient } from './kafka.ts';
import { compileRules } from './mapping.ts';
import { openBridgeMeters } from './meters.ts';
import { Outbound } from './outbound.ts';
import { Packer } from './parcel.ts';

/** What the engine has to know of a rule: a message that matches `filter` goes into `outbox`, under the rule's name. */
export interface BridgeMatch {
  readonly name: string;
  readonly filter: string;
  readonly outbox: OutboxRef;
}

export interface BridgeOptions {
  readonly rules: readonly BridgeRule[];
  readonly store: Store;
  /** this life of the node */
  readonly node: string;
  readonly kafka: KafkaSettings;
  /** Over so many records the outbox is full. The engine acts on it, except for `drop-oldest`, which is done here. */
  readonly maxRecords: number;
  readonly whenFull: 'block' | 'drop-oldest' | 'drop-newest';
  readonly batch: { readonly maxRecords: number; readonly maxBytes: number; readonly lingerMs: number };
  /** Where records go that are not fit for their own topic. Empty: they are lost, counted. */
  readonly deadLetterTopic: string;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Told every now and then how long an outbox is, so that whoever waits for room goes on. */
  readonly onLength?: (outbox: OutboxRef, length: number) => void;
  /** Another way to Kafka, for tests. */
  readonly client?: KafkaClient;
}

const bridgeName = 'kafka';
const lookMs = 250;

/**
 * The way from matching messages to Kafka. The engine puts them into the outbox within its commit; whichever node leads the
 * outbox brings them to Kafka. Only one node does, so that order holds.
 *
 * Throws `config-invalid` for rules that cannot work. Nothing runs before `start`.
 */
export function openBridge(options: BridgeOptions): Bridge {
  return new Bridge(options);
}

export class Bridge {
  /** For the route tree. */
  readonly rules: readonly BridgeMatch[];
  readonly #options: BridgeOptions;
  readonly #outbox: OutboxRef;
  readonly #outbound: Outbound;
  readonly #complaints: Complaints;
  #length = 0;
  #look: NodeJS.Timeout | undefined;

  constructor(options: BridgeOptions) {
    const { store, node, kafka, whenFull, maxRecords, batch, deadLetterTopic, leaseMs, clock, metrics } = options;
    const log = options.log.child({ part: 'bridge' });
    const rules = compileRules(options.rules);
    const outbox = store.outboxes.ref(bridgeName, 0);
    const meters = openBridgeMeters(metrics);
    const complaints = new Complaints(clock, log, meters);
    this.#options = options;
    this.#outbox = outbox;
    this.#complaints = complaints;
    this.rules = rules.map(({ name, filter }) => ({ name, filter, outbox }));
    this.#outbound = new Outbound({
      outbox,
      outboxes: store.outboxes,
      node,
      client: options.client ?? openKafkaClient(kafka, clock, log),
      packer: new Packer({
        rules,
        deadLetterTopic,
        now: () => clock.now(),
        onPoison: (id, rule, { code, message }, isLost) => {
          const fate = isLost ? 'is given up' : 'goes to the dead-letter topic';
          complaints.say(`poison ${code}`, { id, rule, code, reason: message }, `a record is not fit for its Kafka topic and ${fate}`);
        },
      }),
      leaseMs,
      batch,
      dropOver: whenFull === 'drop-oldest' ? maxRecords : Infinity,
      clock,
      meters,
      complaints,
      log,
    });
    metrics.gauge('swarmq_bridge_outbox_records', 'Records that wait for Kafka, of the whole cluster.', () => this.#length);
    metrics.gauge('swarmq_bridge_leader', '1 on the node that brings the outbox to Kafka.', () => Number(this.isLeading));
    metrics.gauge('swarmq_bridge_lag_ms', 'Age of the oldest record on its way to Kafka, on the leader.', () => this.lagMs);
  }

  start(): void {
    this.#outbound.start();
    this.#lookAgain();
  }

  /**
   * Gives the lead up, so that another node goes on at once. Waits up to `graceMs` for what is on its way to Kafka; what is
   * not acknowledged by then stays in the outbox.
   */
  async stop(graceMs = 5_000): Promise<void> {
    clearTimeout(this.#look);
    this.#look = undefined;
    await this.#outbound.stop(graceMs);
  }

  get isLeading(): boolean {
    return this.#outbound.isLeading;
  }

  get lagMs(): number {
    const { oldestAt } = this.#outbound;
    return oldestAt === null ? 0 : Math.max(0, this.#options.clock.now() - oldestAt);
  }

  /** The engine's commits measure the outbox too; but while it is full they wait, and a quiet node has none. */
  #lookAgain(): void {
    this.#look = setTimeout(() => {
      this.#options.store.outboxes.size(this.#outbox).then(
        (length) => {
          this.#length = length;
          this.#outbound.noteLength(length);
          this.#options.onLength?.(this.#outbox, length);
        },
        (error: unknown) => {
          this.#complaints.about('store', error);
        },
      ).finally(() => {
        if (this.#look !== undefined) this.#lookAgain();
      });
    }, lookMs);
  }
}
