import { startKafka as start, type Kafka, type KafkaSecurity } from '../../scripts/kafka.mjs';
import { atEnd, keepForRun } from './ends.ts';
import { eventually } from './eventually.ts';
import { TestProcess } from './process.ts';

export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Null when the record has none. */
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ConsumeOptions {
  readonly from?: 'beginning' | number;
  /** Waits for this many records; without it, whatever the topic holds at this moment. */
  readonly count?: number;
  readonly withinMs?: number;
}

/** Of a client of a Kafka that asks nobody who he is. */
export const openToAll = {
  tls: { enabled: false, caFile: null, certFile: null, keyFile: null },
  sasl: { mechanism: 'none', username: null, password: null, tokenUrl: null, tokenScope: null },
} as const;

/** A real Apache Kafka, seen through kcat: a client that shares nothing with the one under test. */
export class TestKafka {
  readonly brokers: string;
  /** Where it asks for TLS and SASL; empty unless it was started so. */
  readonly securedBrokers: string;
  readonly #server: Kafka;

  constructor(server: Kafka) {
    this.#server = server;
    this.brokers = server.brokers;
    this.securedBrokers = server.securedBrokers;
  }

  get pid(): number {
    return this.#server.pid;
  }

  /** The records of a topic, in order within each partition; none when the topic does not exist. */
  async consume(topic: string, { from = 'beginning', count, withinMs = 30_000 }: ConsumeOptions = {}): Promise<KafkaRecord[]> {
    if (count === undefined) return (await this.#consume(topic, from, ['-e'], withinMs)) ?? [];
    return eventually(() => this.#consume(topic, from, ['-c', String(count)], withinMs), {
      withinMs,
      what: `${count} records in the Kafka topic ${topic}`,
    });
  }

  /** Null when the topic does not exist. */
  async #consume(topic: string, from: string | number, until: string[], withinMs: number): Promise<KafkaRecord[] | null> {
    const args = ['-C', '-q', '-u', '-J', '-b', this.brokers, '-t', topic, '-o', String(from), ...until];
    const kcat = new TestProcess('kcat', args, { name: `kcat -C ${topic}` });
    try {
      const output = await kcat.success(withinMs);
      const lines = output.split('\n').filter((line) => line.startsWith('{'));
      return lines.map(asRecord);
    } catch (error) {
      if (kcat.output.includes('Unknown topic or partition')) return null;
      throw error;
    }
  }

  /** Adds records; resolves once Kafka has acknowledged them all. Keys and values without the bytes 0x1e and 0x1f. */
  async produce(
    topic: string,
    records: readonly { readonly key?: string; readonly value: string }[],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const extra = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}=${value}`]);
    const args = ['-P', '-b', this.brokers, '-t', topic, '-K', '\x1f', '-D', '\x1e', '-X', 'acks=all', ...extra];
    const input = records.map(({ key, value }) => (key === undefined ? value : `${key}\x1f${value}`)).join('\x1e');
    await new TestProcess('kcat', args, { name: `kcat -P ${topic}`, input }).success();
  }

  /** Kafka hangs: connections stay open, nothing is answered. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  kill(): Promise<void> {
    return this.#server.kill();
  }
}

interface KcatLine extends Omit<KafkaRecord, 'value' | 'headers' | 'key'> {
  readonly key?: string | null;
  readonly payload?: string | null;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
}

function asRecord(line: string): KafkaRecord {
  const { topic, partition, offset, key = null, payload = null, headers = [] } = JSON.parse(line) as KcatLine;
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) pairs.push([headers[i] ?? '', headers[i + 1] ?? '']);
  return { topic, partition, offset, key, value: payload, headers: Object.fromEntries(pairs) };
}

/** A Kafka of the test's own, to be stopped and killed. With a port and a folder it goes on where a former one ended. */
export async function startKafka(options: { port?: number; dir?: string; security?: KafkaSecurity } = {}): Promise<TestKafka> {
  const server = await start(options);
  const forget = atEnd(`Kafka ${server.brokers}`, () => server.stop());
  void server.exited.then(forget);
  return new TestKafka(server);
}

let shared: Promise<TestKafka> | undefined;

/** The Kafka that all files of a run share, started when first asked for. Use topics of your own, and leave it alive. */
export function sharedKafka(): Promise<TestKafka> {
  shared ??= start().then((server) => {
    keepForRun(`Kafka ${server.brokers}`, () => server.stop());
    return new TestKafka(server);
  });
  return shared;
}
