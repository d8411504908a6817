import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Client as AedesClient, PublishPacket, SubscribePacket, Subscription, Subscriptions, UnsubscribePacket } from 'aedes';
import { BrokerError } from '../base/errors.ts';
import { noBytes } from '../base/message.ts';
import { encodeSuback, encodeUnsuback } from '../codec/subscribe.ts';
import { fromPacket, fromSubscription } from './aedes-packet.ts';
import type { Connection } from './connection.ts';
import { subscribe } from './handle-subscribe.ts';
import { unsubscribe } from './handle-unsubscribe.ts';
import { deliverTo } from './retained.ts';
import type { Session } from './session.ts';

type Done = (error?: Error) => void;

interface Waiting {
  readonly work: (session: Session) => Promise<void>;
  readonly done: Done | undefined;
}

/**
 * A connected client as Aedes shows it to hooks and events: a face of the connection, which holds the state.
 *
 * What is asked of a client that is still connecting is done after its CONNACK. Callbacks come in a turn of their own, so what
 * they throw is the program's, as with any callback of Node.
 */
export class Client extends EventEmitter implements AedesClient {
  readonly #connection: Connection;
  #waiting: Waiting[] = [];

  private constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  /** The one client of a connection. */
  static of(connection: Connection): Client {
    return (connection.facade ??= new Client(connection)) as Client;
  }

  /** null until the client's CONNECT has passed `preConnect`. */
  get id(): string {
    return (this.#connection.clientId || null) as string;
  }

  get clean(): boolean {
    return this.#connection.cleanStart;
  }

  /** The protocol level of CONNECT: 3, 4 or 5; null as long as `id` is. */
  get version(): number {
    return (this.id === null ? null : this.#connection.version) as number;
  }

  get conn(): AedesClient['conn'] {
    return this.#connection.stream;
  }

  get req(): IncomingMessage | undefined {
    return this.#connection.request;
  }

  get connecting(): boolean {
    return this.#connection.state === 'opening';
  }

  get connected(): boolean {
    return this.#connection.state === 'live';
  }

  get closed(): boolean {
    return this.#connection.state === 'closed';
  }

  /**
   * Sends a packet to this client alone. `callback` comes when it is on its way, for a session that is kept: committed. It is
   * sent without RETAIN.
   */
  publish(packet: PublishPacket, callback?: Done): void {
    const { engine } = this.#connection;
    this.#whenConnected(callback, async (session) => {
      const message = fromPacket({ ...packet, retain: false }, '', engine.clock.now());
      // a session that has not subscribed yet has no queue either
      const hasNoQueue = message.qos > 0 && session.isPersistent && session.subscriptions.size === 0;
      if (hasNoQueue) await engine.patiently(() => engine.store.sessions.subscribe(session.clientId, session.epoch, []));
      await deliverTo(engine, session, [message], { qos: message.qos, noLocal: false, retainAsPublished: false, ids: noBytes });
    });
  }

  /** Subscribes the client, as if it had asked for it. A packet with a `messageId` is answered with a SUBACK. */
  subscribe(subscriptions: Subscriptions | Subscription | Subscription[] | SubscribePacket, callback?: Done): void {
    const packetId = packetIdOf(subscriptions);
    this.#whenConnected(callback, async (session) => {
      const requests = listOf<Subscription>(subscriptions, 'subscriptions').map(fromSubscription);
      const codes = await subscribe(this.#connection, session, { packetId, subscriptionId: 0, userProperties: [], requests });
      if (packetId > 0 && this.connected) this.#connection.send(encodeSuback(packetId, codes, session.version));
    });
  }

  /** Ends subscriptions, given by topic or as they were made. A packet with a `messageId` is answered with an UNSUBACK. */
  unsubscribe(unsubscriptions: Subscriptions | Subscription | Subscription[] | string | string[] | UnsubscribePacket, callback?: Done): void {
    const packetId = packetIdOf(unsubscriptions);
    this.#whenConnected(callback, async (session) => {
      const filters = listOf<Subscription | string>(unsubscriptions, 'unsubscriptions', 'subscriptions').map((one) => (typeof one === 'string' ? one : one.topic));
      const codes = await unsubscribe(this.#connection, session, filters);
      if (packetId > 0 && this.connected) this.#connection.send(encodeUnsuback(packetId, codes, session.version));
    });
  }

  /** Disconnects the client; its will is published. `callback` comes when its session was let go. */
  close(callback?: () => void): void {
    const kicked = new BrokerError('kicked', 'the connection was closed by the program that holds the broker');
    if (this.connected) this.#connection.close(kicked);
    else this.#connection.drop(kicked);
    answer(this.#connection.session?.left ?? Promise.resolve(), callback);
  }

  /** Removes what waits to be sent to this client at QoS 1 and 2. */
  emptyOutgoingQueue(callback?: Done): void {
    this.#whenConnected(callback, (session) => session.delivery.empty());
  }

  /** For the broker alone: does what waited for the CONNACK, or, when the client is gone, tells that it will not be done. */
  goOn(): void {
    for (const { work, done } of this.#waiting.splice(0)) this.#whenConnected(done, work);
  }

  #whenConnected(done: Done | undefined, work: (session: Session) => Promise<void>): void {
    const { session } = this.#connection;
    if (this.connected && session !== null) answer(work(session), done);
    else if (!this.closed) this.#waiting.push({ work, done });
    else answer(Promise.reject(new BrokerError('connection-lost', 'the client is not connected any more')), done);
  }
}

/** Tells a callback how a promise ended, as Node's own `callbackify` does. */
export function answer(end: Promise<unknown>, callback: Done | undefined): void {
  end.then(
    () => {
      if (callback !== undefined) process.nextTick(callback);
    },
    (error: unknown) => {
      if (callback !== undefined) process.nextTick(callback, error);
    },
  );
}

/** What stands under one of the names, or is given as it is: one or many. */
function listOf<One>(given: object | string, ...names: string[]): One[] {
  const name = typeof given === 'string' ? undefined : names.find((one) => one in given);
  return [name === undefined ? given : (given as Record<string, unknown>)[name]].flat() as One[];
}

function packetIdOf(given: object | string): number {
  return typeof given === 'object' && 'messageId' in given && typeof given.messageId === 'number' ? given.messageId : 0;
}
