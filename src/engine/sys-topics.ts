import type { BrokerError } from '../base/errors.ts';
import { Message, noBytes } from '../base/message.ts';
import { matches } from '../base/topic.ts';
import type { Connection } from './connection.ts';
import type { Engine } from './engine.ts';
import { LoadAverages } from './load-averages.ts';
import { deliverHere, forwardLossy } from './publish.ts';
import type { Session } from './session.ts';
import type { SubscriptionOptions } from './subscription.ts';
import { SysFigures } from './sys-figures.ts';
import { loadCounts, sysTopics, type LoadName, type SysSource, type SysTopic } from './sys-table.ts';

/** In bytes [MQTT 5, 1.5.4]. */
const longestTopic = 65_535;

/**
 * The broker's own topics, `$SYS/…`: what this node says of itself, to the subscribers connected to it and to nobody else.
 *
 * Nothing of it is stored or goes to other nodes. A subscription is answered with the values of that moment, as if they were
 * retained; at the interval those that have changed are sent. They are QoS 0, whatever a subscription asks for. Without
 * subscribers only the load averages are kept.
 */
export class SysTopics {
  readonly #engine: Engine;
  readonly #source: SysSource;
  readonly #rows: readonly SysTopic[];
  /** topic -> what was last sent of it; empty while nobody subscribes */
  readonly #told = new Map<string, string>();
  #seconds = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    const counts = Object.fromEntries(
      Object.entries(loadCounts).map(([name, [, count]]) => [name, () => count(engine)]),
    ) as Record<LoadName, () => number>;
    this.#source = { engine, figures: new SysFigures(engine), loads: new LoadAverages(counts) };
    this.#rows = sysTopics.map((row) => ({ ...row, topic: row.topic.replace('${node}', engine.config.node.id) }));
  }

  /** Called once a second. */
  tick(): void {
    this.#source.figures.noteConnected();
    const { intervalSeconds } = this.#engine.config.sys;
    if (intervalSeconds === 0 || ++this.#seconds < intervalSeconds) return;
    this.#source.loads.advance(this.#seconds);
    this.#seconds = 0;
    if (this.#engine.subscribed.sys === 0) {
      this.#told.clear();
      return;
    }
    for (const row of this.#rows) {
      const value = this.#valueOf(row);
      if (this.#told.get(row.topic) === value) continue;
      this.#told.set(row.topic, value);
      this.#tell(row.topic, value, true);
    }
    this.#engine.flushSoon();
  }

  /** Answers a new subscription with what it would find if the values were retained. */
  answer(session: Session, filter: string, options: SubscriptionOptions): void {
    if (this.#engine.config.sys.intervalSeconds === 0) return;
    // behind the SUBACK
    setImmediate(() => {
      for (const row of this.#rows) {
        // [MQTT-3.10.4-2]
        if (session.isOver || !session.subscriptions.has(filter)) return;
        if (!matches(filter, row.topic)) continue;
        const value = this.#valueOf(row);
        if (!this.#told.has(row.topic)) this.#told.set(row.topic, value);
        forwardLossy(this.#engine, session.connection, this.#message(row.topic, value, true), null, true, options.ids);
      }
    });
  }

  /** A client has come: an event, for whoever watches. */
  noteConnected(connection: Connection): void {
    if (!this.#isWatched) return;
    const at = this.#engine.clock.now();
    this.#tellEvent(connection, 'connected', {
      ...about(connection, at),
      keepalive: connection.keepAliveSeconds,
      expiry_interval: connection.session?.expirySeconds ?? 0,
      connected_at: at,
      connack: 0,
      clean_start: connection.cleanStart,
    });
  }

  /** A client has gone. `error` null: by itself. */
  noteDisconnected(connection: Connection, error: BrokerError | null): void {
    if (!this.#isWatched || connection.session === null) return;
    const at = this.#engine.clock.now();
    this.#tellEvent(connection, 'disconnected', { ...about(connection, at), reason: error === null ? 'normal' : error.code, disconnected_at: at });
  }

  get #isWatched(): boolean {
    return this.#engine.subscribed.sys > 0 && this.#engine.config.sys.clientEvents;
  }

  #tellEvent({ clientId }: Connection, event: 'connected' | 'disconnected', facts: object): void {
    const topic = `$SYS/brokers/${this.#engine.config.node.id}/clients/${levelOf(clientId)}/${event}`;
    if (Buffer.byteLength(topic) > longestTopic) return;
    this.#tell(topic, JSON.stringify(facts), false);
    this.#engine.flushSoon();
  }

  #tell(topic: string, value: string, retain: boolean): void {
    deliverHere(this.#engine, this.#message(topic, value, retain), this.#engine.routes.matchFor(topic, ''));
  }

  #message(topic: string, value: string, retain: boolean): Message {
    return new Message(topic, Buffer.from(value), 0, retain, noBytes, 0, this.#engine.clock.now(), '');
  }

  #valueOf(row: SysTopic): string {
    return String(row.read(this.#source));
  }
}

function about({ clientId, username, version }: Connection, ts: number): object {
  return { clientid: clientId, username, ts, proto_name: version === 3 ? 'MQIsdp' : 'MQTT', proto_ver: version };
}

/** A client id as one level of a topic: what would make it more, or a wildcard, is percent-encoded. */
function levelOf(clientId: string): string {
  return clientId.replace(/[%/+#]/g, (character) => encodeURIComponent(character));
}
