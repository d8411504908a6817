import { Aedes, type AedesPublishPacket, type AuthenticateError, type ConnackPacket } from 'aedes';
import { asBrokerError, BrokerError, type ErrorCode } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import type { Clock } from '../base/clock.ts';
import { changedBy, fromSubscription, takeOver, toConnectPacket, toPacket, toSubscription } from './aedes-packet.ts';
import { Client } from './client.ts';
import type { Connection } from './connection.ts';
import type { Decision, Hooks } from './hooks.ts';

/** What Aedes has in the place of each hook when the program gave none. */
const untouched = new Aedes();

/** The CONNACK return codes that a program may refuse with, and what they mean here. */
const codeOfReturn: Readonly<Record<number, ErrorCode>> = {
  2: 'client-id-invalid',
  3: 'server-unavailable',
  4: 'bad-credentials',
  5: 'not-authorized',
};

/**
 * Aedes's hooks and events on the engine's port. A hook that the program left alone and an event that nobody listens to are
 * null there. A hook that answers at once is taken at once, without a promise.
 *
 * What a hook or a listener throws never reaches the engine: a hook that decides has refused, of the others the program is
 * told by `complain`.
 */
export class AedesHooks implements Hooks {
  /** Aedes has no hook for enhanced authentication. */
  readonly beginExchange = null;
  readonly #broker: Aedes;
  readonly #clock: Clock;
  readonly #complain: (error: unknown) => void;
  #connected = 0;

  constructor(broker: Aedes, clock: Clock, complain: (error: unknown) => void) {
    this.#broker = broker;
    this.#clock = clock;
    this.#complain = complain;
  }

  /** Clients from `client` to `clientDisconnect`. */
  get connectedClients(): number {
    return this.#connected;
  }

  get preConnect(): Hooks['preConnect'] {
    return this.#broker.preConnect === untouched.preConnect ? null : this.#preConnect;
  }

  get authenticate(): Hooks['authenticate'] {
    return this.#broker.authenticate === untouched.authenticate ? null : this.#authenticate;
  }

  get authorizePublish(): Hooks['authorizePublish'] {
    return this.#broker.authorizePublish === untouched.authorizePublish ? null : this.#authorizePublish;
  }

  get authorizeSubscribe(): Hooks['authorizeSubscribe'] {
    return this.#broker.authorizeSubscribe === untouched.authorizeSubscribe ? null : this.#authorizeSubscribe;
  }

  get authorizeForward(): Hooks['authorizeForward'] {
    return this.#broker.authorizeForward === untouched.authorizeForward ? null : this.#authorizeForward;
  }

  get onPublished(): Hooks['onPublished'] {
    return this.#hasPublished || this.#isHeard('publish') ? this.#onPublished : null;
  }

  get onConnack(): Hooks['onConnack'] {
    return this.#isHeard('connackSent') ? this.#onConnack : null;
  }

  get onSubscribed(): Hooks['onSubscribed'] {
    return this.#isHeard('subscribe') ? this.#onSubscribed : null;
  }

  get onUnsubscribed(): Hooks['onUnsubscribed'] {
    return this.#isHeard('unsubscribe') ? this.#onUnsubscribed : null;
  }

  get onPing(): Hooks['onPing'] {
    return this.#isHeard('ping') ? this.#onPing : null;
  }

  get onAcknowledged(): Hooks['onAcknowledged'] {
    return this.#isHeard('ack') ? this.#onAcknowledged : null;
  }

  readonly onClaimed: Hooks['onClaimed'] = (connection) => {
    this.#connected++;
    this.#emit('client', Client.of(connection));
  };

  readonly onConnected: Hooks['onConnected'] = (connection) => {
    const client = Client.of(connection);
    client.goOn();
    this.#emit('clientReady', client);
    this.#emitOn(client, 'connected');
  };

  readonly onClosed: Hooks['onClosed'] = (connection, error) => {
    const client = Client.of(connection);
    if (error?.code === 'keep-alive-timeout') this.#emit('keepaliveTimeout', client);
    // a client that was sent elsewhere or away did nothing wrong
    if (error !== null && error.kind !== 'lost') this.#tellError(client, error);
    const { session } = connection;
    if (session !== null) {
      this.#connected--;
      if (client.clean && session.subscriptions.size > 0) this.#emit('unsubscribe', [...session.subscriptions.keys()], client);
      this.#emit('clientDisconnect', client);
    }
    client.goOn();
  };

  readonly #preConnect = (connection: Connection, connect: Parameters<NonNullable<Hooks['preConnect']>>[1]): Decision<void> => {
    const packet = toConnectPacket(connect);
    return ask<[Error | null, boolean?], void>(
      (done) => {
        this.#broker.preConnect(Client.of(connection), packet, done);
      },
      (error, isSuccessful) => {
        if (error) throw refusal(error);
        if (isSuccessful !== true) throw new BrokerError('not-authorized', 'the connection was refused by preConnect');
        takeOver(connect, packet);
      },
    );
  };

  readonly #authenticate = (connection: Connection, connect: Parameters<NonNullable<Hooks['authenticate']>>[1]): Decision<void> =>
    ask<[AuthenticateError | null, (boolean | null)?], void>(
      (done) => {
        this.#broker.authenticate(Client.of(connection), connect.username ?? undefined, connect.password ?? undefined, done);
      },
      (error, isSuccessful) => {
        if (error) throw refusal(error, codeOfReturn[error.returnCode]);
        if (isSuccessful !== true) throw new BrokerError('not-authorized', 'not authorized');
      },
    );

  readonly #authorizePublish = (connection: Connection | null, message: Message): Decision<Message> => {
    const client = connection === null ? null : Client.of(connection);
    const packet = this.#packetOf(message);
    return ask<[(Error | null)?], Message>(
      (done) => {
        this.#broker.authorizePublish(client, packet, done);
      },
      (error) => {
        if (!error) return changedBy(packet, message, this.#clock.now());
        const refused = refusal(error);
        // MQTT 5 has a reason code for it, so the connection goes on and does not tell by its end
        if (client?.connected && connection?.version === 5) this.#tellError(client, refused);
        throw refused;
      },
    );
  };

  readonly #authorizeSubscribe: NonNullable<Hooks['authorizeSubscribe']> = (connection, request) =>
    ask(
      (done: (...answer: Parameters<Parameters<Aedes['authorizeSubscribe']>[2]>) => void) => {
        this.#broker.authorizeSubscribe(Client.of(connection), toSubscription(request, connection.version), done);
      },
      (error, allowed) => {
        if (error) connection.close(refusal(error));
        return error || !allowed ? null : fromSubscription(allowed);
      },
    );

  readonly #authorizeForward: NonNullable<Hooks['authorizeForward']> = (connection, message) => {
    try {
      const forwarded = this.#broker.authorizeForward(Client.of(connection), this.#packetOf(message));
      return forwarded ? changedBy(forwarded, message, this.#clock.now()) : null;
    } catch (error) {
      this.#complain(error);
      return null;
    }
  };

  readonly #onPublished: NonNullable<Hooks['onPublished']> = (message, session) => {
    const packet = this.#packetOf(message);
    const connection = session?.connection ?? null;
    if (this.#hasPublished) this.#published(packet, connection);
    this.#emit('publish', packet, connection === null ? null : Client.of(connection));
  };

  readonly #onConnack: NonNullable<Hooks['onConnack']> = (connection, reason, sessionPresent) => {
    const packet: ConnackPacket = { cmd: 'connack', returnCode: reason, sessionPresent };
    if (connection.version === 5) packet.reasonCode = reason;
    this.#emit('connackSent', packet, Client.of(connection));
  };

  readonly #onSubscribed: NonNullable<Hooks['onSubscribed']> = (connection, requests, codes) => {
    const subscriptions = new Map(
      requests.map((request, i) => {
        const subscription = toSubscription(request, connection.version);
        return [request.filter, codes[i]! < 0x80 ? subscription : { ...subscription, qos: 128 }];
      }),
    );
    this.#emit('subscribe', [...subscriptions.values()], Client.of(connection));
  };

  readonly #onUnsubscribed: NonNullable<Hooks['onUnsubscribed']> = (connection, filters) => {
    this.#emit('unsubscribe', [...filters], Client.of(connection));
  };

  readonly #onPing: NonNullable<Hooks['onPing']> = (connection) => {
    this.#emit('ping', { cmd: 'pingreq' }, Client.of(connection));
  };

  readonly #onAcknowledged: NonNullable<Hooks['onAcknowledged']> = (connection, packetId, message) => {
    const packet = message === null ? { cmd: 'pubrel' } : { ...this.#packetOf(message), qos: 1 };
    this.#emit('ack', { ...packet, messageId: packetId }, Client.of(connection));
  };

  /** The hook `published`, which may hold its publisher back until it is done with the packet. */
  #published(packet: AedesPublishPacket, connection: Connection | null): void {
    let isDone = false;
    let isHeldBack = false;
    const done = (error?: Error | null): void => {
      if (isDone) return;
      isDone = true;
      if (isHeldBack) connection?.letGo();
      if (error) connection?.close(asBrokerError(error));
    };
    try {
      // whatever Aedes's types say, it is null for what no client published
      this.#broker.published(packet, (connection === null ? null : Client.of(connection)) as Client, done);
    } catch (error) {
      this.#complain(error);
      done();
    }
    if (isDone || connection === null) return;
    isHeldBack = true;
    connection.holdBack();
  }

  #packetOf(message: Message): AedesPublishPacket {
    return toPacket(message, this.#broker.id, this.#clock.now());
  }

  #tellError(client: Client, error: BrokerError): void {
    const cause = error.cause instanceof Error ? error.cause : error;
    this.#emit(client.id === null ? 'connectionError' : 'clientError', client, cause);
    this.#emitOn(client, 'error', cause);
  }

  get #hasPublished(): boolean {
    return this.#broker.published !== untouched.published;
  }

  #isHeard(event: string): boolean {
    return this.#broker.listenerCount(event) > 0;
  }

  #emit(event: string, ...facts: unknown[]): void {
    this.#emitOn(this.#broker, event, ...facts);
  }

  #emitOn(emitter: Aedes | Client, event: string, ...facts: unknown[]): void {
    if (emitter.listenerCount(event) === 0) return;
    try {
      emitter.emit(event, ...facts);
    } catch (error) {
      this.#complain(error);
    }
  }
}

/**
 * Calls a hook that answers by a callback, and gives what `read` makes of its answer: at once when the hook answers before it
 * returns. Only its first answer counts.
 */
function ask<Answer extends unknown[], Result>(
  call: (done: (...answer: Answer) => void) => void,
  read: (...answer: Answer) => Result,
): Decision<Result> {
  const given: { answer?: Answer; wake?: (answer: Answer) => void } = {};
  call((...answer) => {
    if (given.answer !== undefined) return;
    given.answer = answer;
    given.wake?.(answer);
  });
  if (given.answer !== undefined) return read(...given.answer);
  return new Promise<Answer>((resolve) => (given.wake = resolve)).then((answer) => read(...answer));
}

/** What the program refused with, as the engine's error. Events show the program's own again; its words are not for the client. */
function refusal(error: Error, code: ErrorCode = 'not-authorized'): BrokerError {
  return new BrokerError(code, 'refused by the program that holds the broker', error);
}
