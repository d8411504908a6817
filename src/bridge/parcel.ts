import { asBrokerError, BrokerError, type ErrorCode } from '../base/errors.ts';
import { noBytes } from '../base/message.ts';
import { decodeRecord } from '../codec/record.ts';
import type { OutboxEntry } from '../store/outboxes.ts';
import type { KafkaRecord } from './kafka.ts';
import { toRecord, type Rule } from './mapping.ts';

/**
 * One outbox entry on its way to Kafka. It starts as `mapped`. When it cannot be mapped, or Kafka refuses it, it goes on as
 * a `dead letter` with what is known of it; when Kafka refuses that too, as a `notice`, a dead letter without its value.
 */
export interface Parcel {
  readonly id: string;
  readonly rule: string;
  readonly stage: 'mapped' | 'dead letter' | 'notice';
  readonly record: KafkaRecord;
  /** why it is a dead letter */
  readonly reason: ErrorCode | null;
}

/** Told of each record that is not fit for its topic. `isLost`: nothing of it goes to Kafka. */
export type OnPoison = (id: string, rule: string, reason: BrokerError, isLost: boolean) => void;

export interface PackerOptions {
  readonly rules: readonly Rule[];
  /** Empty: a record that is not fit for its topic is lost. */
  readonly deadLetterTopic: string;
  readonly now: () => number;
  readonly onPoison: OnPoison;
}

/** Makes parcels of entries, and other parcels of refused ones; null for what is given up. */
export class Packer {
  readonly #options: PackerOptions;
  readonly #rules: ReadonlyMap<string, Rule>;

  constructor(options: PackerOptions) {
    this.#options = options;
    this.#rules = new Map(options.rules.map((rule) => [rule.name, rule]));
  }

  pack(entry: OutboxEntry): Parcel | null {
    const { id, rule: name, record } = entry;
    try {
      const rule = this.#rules.get(name);
      if (rule === undefined) throw new BrokerError('config-invalid', `there is no rule "${name}" any more`);
      return { id, rule: name, stage: 'mapped', record: toRecord(rule, decodeRecord(record)), reason: null };
    } catch (error) {
      return this.#condemn(id, name, { topic: '', key: '', value: record, headers: {}, timestamp: 0 }, asBrokerError(error));
    }
  }

  repack({ id, rule, stage, record, reason }: Parcel, refusal: BrokerError): Parcel | null {
    switch (stage) {
      case 'mapped':
        return this.#condemn(id, rule, record, refusal);
      case 'dead letter': {
        const headers = { ...record.headers, 'swarmq-value-bytes': String(record.value.length) };
        return { id, rule, stage: 'notice', record: { ...record, headers, value: noBytes }, reason };
      }
      case 'notice':
        this.#options.onPoison(id, rule, refusal, true);
        return null;
    }
  }

  #condemn(id: string, rule: string, record: KafkaRecord, reason: BrokerError): Parcel | null {
    const { deadLetterTopic: topic, onPoison, now } = this.#options;
    onPoison(id, rule, reason, topic === '');
    if (topic === '') return null;
    const headers = {
      ...record.headers,
      'swarmq-rule': rule,
      'swarmq-kafka-topic': record.topic,
      'swarmq-error': reason.code,
      'swarmq-error-text': reason.message,
    };
    return { id, rule, stage: 'dead letter', record: { ...record, topic, headers, timestamp: now() }, reason: reason.code };
  }
}
