import { BrokerError } from '../../src/base/errors.ts';
import type { KafkaClient, KafkaRecord } from '../../src/bridge/kafka.ts';

/** A Kafka in memory that can be away, hang, lose acknowledgements and refuse records. Several clients share one. */
export class FakeKafka {
  /** every record as it was written, in order */
  readonly log: KafkaRecord[] = [];
  isAway = false;
  /** a batch is written, its acknowledgement does not come before `answer` */
  isMute = false;
  readonly unanswered = new Set<() => void>();
  /** how many batches it writes whole and then answers with a failure */
  lostAnswers = 0;
  /** why it refuses a record, null for those it takes */
  refuse: (record: KafkaRecord) => BrokerError | null = () => null;
  batches = 0;

  client(): KafkaClient {
    return new FakeClient(this);
  }

  answer(): void {
    this.isMute = false;
    for (const acknowledge of this.unanswered) acknowledge();
    this.unanswered.clear();
  }

  values(topic: string): string[] {
    return this.log.filter((record) => record.topic === topic).map(({ value }) => value.toString());
  }
}

class FakeClient implements KafkaClient {
  readonly #kafka: FakeKafka;
  #cut: (() => void) | null = null;

  constructor(kafka: FakeKafka) {
    this.#kafka = kafka;
  }

  async connect(): Promise<void> {
    if (this.#kafka.isAway) throw new BrokerError('kafka-failed', 'connection refused');
  }

  async send(batch: readonly KafkaRecord[]): Promise<void> {
    const kafka = this.#kafka;
    await new Promise((resolve) => setImmediate(resolve));
    if (kafka.isAway) throw new BrokerError('kafka-failed', 'connection lost');
    for (const record of batch) {
      const refusal = kafka.refuse(record);
      if (refusal !== null) throw refusal;
    }
    kafka.batches++;
    kafka.log.push(...batch);
    if (kafka.isMute) {
      await new Promise<void>((resolve, reject) => {
        kafka.unanswered.add(resolve);
        this.#cut = () => {
          reject(new BrokerError('kafka-failed', 'the connection was closed'));
        };
      });
    }
    if (kafka.lostAnswers > 0) {
      kafka.lostAnswers--;
      throw new BrokerError('kafka-failed', 'request timed out');
    }
  }

  async close(): Promise<void> {
    this.#cut?.();
    this.#cut = null;
  }
}
