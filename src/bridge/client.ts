import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { CompressionTypes, Kafka, logLevel, Partitioners, type LogEntry, type Producer, type SASLOptions, type TopicMessages } from 'kafkajs';
import type { Clock } from '../base/clock.ts';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { KafkaClient, KafkaRecord } from './kafka.ts';
import { saslOptions, tlsOptions, type KafkaSasl, type KafkaTls } from './security.ts';

export interface KafkaSettings {
  /** `host:port` of the brokers to ask first */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Let Kafka make topics that do not exist yet; it only does when its own `auto.create.topics.enable` says so too. */
  readonly allowAutoTopicCreation: boolean;
  readonly compression: 'none' | 'gzip';
  /** How long Kafka may take to answer one request. */
  readonly requestTimeoutMs: number;
  readonly tls: KafkaTls;
  readonly sasl: KafkaSasl;
}

const connectTimeoutMs = 3_000;
const closeMs = 1_000;
const keepAliveMs = 30_000;

/** What Kafka says of a batch that it will say again. [Kafka protocol guide, error codes] */
const refusals: Readonly<Record<string, ErrorCode>> = {
  MESSAGE_TOO_LARGE: 'packet-too-large',
  RECORD_LIST_TOO_LARGE: 'packet-too-large',
  INVALID_TOPIC_EXCEPTION: 'topic-name-invalid',
  INVALID_TIMESTAMP: 'payload-format-invalid',
  INVALID_RECORD: 'payload-format-invalid',
};

/**
 * kafkajs 2.2.4 behind the port. It is used for as little as possible:
 *
 * - Its own retries are few, because they cannot be ended from outside; the caller's loop survives an outage of any length.
 * - After any failure the producer is thrown away with its sockets. kafkajs takes sequence numbers back when a request
 *   fails although Kafka may have stored it, and a late event of an old socket closes the new one; a fresh producer with a
 *   fresh producer id has neither.
 * - Its retry passes over a partition whose leader has moved to a broker that answered already, and reports success. So
 *   the partitions it chose are compared with those it got an answer for.
 * - It does not notice a socket that is destroyed without an error, and waits for answers when it is told to disconnect.
 *   So the sockets are made here, and destroyed with an error.
 */
class KafkaJsClient implements KafkaClient {
  readonly #settings: KafkaSettings;
  readonly #sasl: SASLOptions | undefined;
  readonly #log: Logger;
  #line: Line | null = null;

  constructor(settings: KafkaSettings, clock: Clock, log: Logger) {
    // a file that cannot be read is told at the start, and not when the first record waits for it
    tlsOptions(settings.tls);
    this.#settings = settings;
    this.#sasl = saslOptions(settings.sasl, clock);
    this.#log = log;
    const { mechanism } = settings.sasl;
    if (!settings.tls.enabled && (mechanism === 'plain' || mechanism === 'oauthbearer')) {
      log.warn({ mechanism }, 'a secret goes to Kafka on connections that anyone on the way can read: set kafka.tls.enabled');
    }
  }

  async connect(): Promise<void> {
    if (this.#line !== null) return;
    const line = new Line(this.#settings, this.#sasl, this.#log);
    this.#line = line;
    try {
      await line.producer.connect();
    } catch (error) {
      this.#giveUp(line);
      throw translate(error);
    }
    if (this.#line !== line) throw closed();
  }

  async send(batch: readonly KafkaRecord[]): Promise<void> {
    const line = this.#line;
    if (line === null) throw closed();
    try {
      line.chosen.clear();
      const answers = await line.producer.sendBatch({
        acks: -1,
        timeout: this.#settings.requestTimeoutMs,
        compression: this.#settings.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None,
        topicMessages: byTopic(batch),
      });
      for (const { topicName, partition } of answers) line.chosen.delete(partitionName(topicName, partition));
      if (line.chosen.size > 0) throw new Error(`no acknowledgement for ${[...line.chosen].join(', ')}`);
    } catch (error) {
      this.#giveUp(line);
      throw translate(error);
    }
  }

  async close(): Promise<void> {
    const line = this.#line;
    if (line === null) return;
    this.#line = null;
    await line.end(closeMs);
  }

  #giveUp(line: Line): void {
    if (this.#line === line) this.#line = null;
    void line.end(0);
  }
}

/** One producer with its sockets, from its first connection to its first failure. */
class Line {
  readonly producer: Producer;
  /** The partitions that records of the batch under way were given to, as `topic/partition`. */
  readonly chosen = new Set<string>();
  readonly #settings: KafkaSettings;
  readonly #sockets = new Set<Socket>();
  #isEnded = false;

  constructor(settings: KafkaSettings, sasl: SASLOptions | undefined, log: Logger) {
    this.#settings = settings;
    const kafka = new Kafka({
      brokers: [...settings.brokers],
      clientId: settings.clientId,
      ...(sasl === undefined ? {} : { sasl }),
      connectionTimeout: connectTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 3 },
      socketFactory: ({ host, port, onConnect }) => this.#open(host, port, onConnect),
      logLevel: logLevel.WARN,
      logCreator: () => (entry) => {
        pass(entry, log);
      },
    });
    const choose = Partitioners.DefaultPartitioner();
    this.producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      // an idempotent producer of kafkajs insists on a retry of its own
      retry: { retries: 1 },
      allowAutoTopicCreation: settings.allowAutoTopicCreation,
      createPartitioner: () => (about) => {
        const partition = choose(about);
        this.chosen.add(partitionName(about.topic, partition));
        return partition;
      },
    });
  }

  /** Disconnects in order for up to `patienceMs`; then whatever is still open is destroyed. */
  async end(patienceMs: number): Promise<void> {
    if (this.#isEnded) return;
    if (patienceMs > 0 && this.#sockets.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patienceMs);
      });
      await Promise.race([this.producer.disconnect().catch(() => undefined), patience]);
      clearTimeout(timer);
    }
    this.#isEnded = true;
    for (const socket of this.#sockets) socket.destroy(new Error('the bridge closed the connection'));
  }

  #open(host: string, port: number, onConnect: () => void): Socket {
    if (this.#isEnded) throw new Error('the bridge closed the connection');
    const place = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs };
    const tls = tlsOptions(this.#settings.tls);
    // a literal address is no server name [RFC 6066, 3]
    const socket = tls === null ? connectSocket(place, onConnect) : connectTls({ ...place, ...tls, ...(isIP(host) === 0 ? { servername: host } : {}) }, onConnect);
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
    });
    return socket;
  }
}

export function openKafkaClient(settings: KafkaSettings, clock: Clock, log: Logger): KafkaClient {
  return new KafkaJsClient(settings, clock, log);
}

function byTopic(batch: readonly KafkaRecord[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, key, value, headers, timestamp } of batch) {
    let entry = topics.get(topic);
    if (entry === undefined) topics.set(topic, (entry = { topic, messages: [] }));
    entry.messages.push({ key, value, headers, timestamp: String(timestamp) });
  }
  return [...topics.values()];
}

function partitionName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** What kafkajs threw, as the port promises it. The reason lies at the end of its chain of causes. */
function translate(error: unknown): BrokerError {
  let reason = error;
  for (let depth = 0; depth < 5 && reason instanceof Error; depth++) {
    if ('type' in reason && typeof reason.type === 'string') {
      const text = `Kafka says ${reason.type}: ${reason.message}`;
      return new BrokerError(refusals[reason.type] ?? 'kafka-failed', text, error);
    }
    if (!(reason.cause instanceof Error)) break;
    reason = reason.cause;
  }
  return new BrokerError('kafka-failed', `Kafka: ${reason instanceof Error ? reason.message : String(reason)}`, error);
}

function closed(): BrokerError {
  return new BrokerError('kafka-failed', 'Kafka: the connection was closed');
}

/** kafkajs calls every retry an error; what matters of it comes back as a rejection and is told there. */
function pass({ namespace, log: { message, timestamp: _, ...fields } }: LogEntry, log: Logger): void {
  log.debug({ ...fields, source: `kafkajs ${namespace}` }, message);
}
