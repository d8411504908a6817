import { connect as connectTcp, type Socket } from 'node:net';
import { generate, parser, type IConnackPacket, type IConnectPacket, type Packet } from 'mqtt-packet';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import type { Ledger } from '../support/ledger.ts';

type Qos = 0 | 1 | 2;

export interface DeviceOptions {
  readonly id: string;
  /** Where it connects, one after the other: asked again at each attempt. */
  readonly ports: () => readonly number[];
  readonly ledger: Ledger;
  /** Ends its session with each connection; without it the session lives on. */
  readonly clean?: boolean;
  /** 3.1.1 without it */
  readonly version?: 4 | 5;
  /** A connection on which nothing came for so long, though something was asked, is given up. Without it: never. */
  readonly patienceMs?: number;
  readonly keepAliveSeconds?: number;
  readonly will?: IConnectPacket['will'];
  /** Filters, all with this QoS; what arrives goes to the ledger under the device's id, or under a name that is there already. */
  readonly subscribe?: { readonly filters: readonly string[]; readonly qos: Qos; readonly as?: string };
  /** Another connection of the same client: its name in the ledger and its memory of what it took are shared. */
  readonly rivals?: Device;
}

interface Outgoing {
  readonly topic: string;
  readonly seq: number;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly sentAt: number;
  /** PUBREC came: what is left to do is PUBREL, until PUBCOMP */
  isReceived: boolean;
}

const reconnectMs = 50;
const patienceMs = 15_000;
const packetIds = 65_535;
const sessionExpirySeconds = 3600;

/**
 * A client that does what the standard asks of one: it keeps what is not acknowledged over its connections, sends it again
 * in the old order when its session goes on, takes a QoS 2 message once for each packet identifier, and comes back when it
 * loses its connection. Payloads are `<publisher> <count>`; all it does and gets is in the ledger.
 */
export class Device {
  readonly id: string;
  readonly #options: DeviceOptions;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #halfReceived: Set<number>;
  readonly #seqs = new Map<string, number>();
  readonly #forget: () => void;
  #socket: Socket | null = null;
  #isLive = false;
  #isSubscribed = false;
  #isOver = false;
  #comesBack = true;
  #lostAt = 0;
  #attempts = 0;
  #lastPacketId = 0;
  #pump: NodeJS.Timeout | null = null;
  #pinger: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #impatience: NodeJS.Timeout | null = null;
  #heardAt = 0;
  /** CONNACKs so far, and those among them that said that there was a session. */
  connects = 0;
  resumes = 0;
  /** How often a connection that had its CONNACK ended other than by `leave` or `cut`. */
  losses = 0;
  /** The longest time from the end of a connection to the next CONNACK, in ms. */
  longestAwayMs = 0;
  /** Every message as it came, repetitions too. */
  arrivals = 0;
  acknowledged = 0;
  /** When the last acknowledgement came, by `performance.now`. */
  acknowledgedAt = 0;
  /** The longest time from a publication to its acknowledgement, in ms. */
  longestWaitMs = 0;

  constructor(options: DeviceOptions) {
    this.id = options.id;
    this.#options = options;
    this.#halfReceived = options.rivals === undefined ? new Set() : options.rivals.#halfReceived;
    if (options.subscribe !== undefined && options.subscribe.as === undefined && options.rivals === undefined) {
      const { filters, qos } = options.subscribe;
      options.ledger.subscriber(options.id, qos, (topic) => filters.some((filter) => matches(filter, topic)));
    }
    this.#forget = atEnd(`device ${this.id}`, () => {
      this.leave();
    });
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#isLive;
  }

  /** Connected, and its subscriptions hold. */
  get isReady(): boolean {
    return this.#isLive && (this.#isSubscribed || this.#options.subscribe === undefined);
  }

  /** Publications that are not acknowledged yet. */
  get inFlight(): number {
    return this.#outgoing.size;
  }

  async ready(): Promise<this> {
    await eventually(() => this.isReady, { withinMs: patienceMs, what: `connection of ${this.id}` });
    return this;
  }

  publish(topic: string, qos: Qos, retain = false): void {
    const seq = this.#seqs.get(topic) ?? 0;
    this.#seqs.set(topic, seq + 1);
    const packetId = qos === 0 ? 0 : this.#nextPacketId();
    const outgoing: Outgoing = { topic, seq, qos, retain, sentAt: performance.now(), isReceived: false };
    if (qos > 0) this.#outgoing.set(packetId, outgoing);
    this.#options.ledger.published(this.id, topic, seq, qos);
    if (this.#isLive) this.#sendPublish(packetId, outgoing, false);
  }

  /** How many messages it has published to this topic. */
  published(topic: string): number {
    return this.#seqs.get(topic) ?? 0;
  }

  /** Publishes `perSecond` messages to each of these, as long as no more than `window` are in flight. */
  pump(targets: readonly { readonly topic: string; readonly qos: Qos; readonly retain?: boolean }[], perSecond: number, window = 50): void {
    const everyMs = 1000 / perSecond;
    this.#pump = setInterval(() => {
      for (const { topic, qos, retain } of targets) if (this.#isLive && this.#outgoing.size < window) this.publish(topic, qos, retain);
    }, everyMs);
  }

  /** Publishes no more by itself, and waits until all is acknowledged. */
  async settle(withinMs = patienceMs): Promise<void> {
    if (this.#pump !== null) clearInterval(this.#pump);
    this.#pump = null;
    await eventually(() => this.#outgoing.size === 0, { withinMs, what: () => `end of ${this.#outgoing.size} exchanges of ${this.id}` });
  }

  /** Loses its connection without a word, and comes back. */
  cut(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
    this.#lost();
    this.losses--;
  }

  /** Does not come back when it loses its connection from now on. */
  rest(): void {
    this.#comesBack = false;
    if (!this.#isLive && this.#retry !== null) clearTimeout(this.#retry);
  }

  /** After `rest`: connects again, and again when it loses that connection. */
  comeBack(): void {
    this.#comesBack = true;
    const isOnItsWay = this.#socket !== null && !this.#socket.destroyed;
    if (this.#isLive || isOnItsWay) return;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#connect();
  }

  /** Goes away without a word and for good. */
  leave(): void {
    this.#retire();
    this.#socket?.destroy();
  }

  /** Says DISCONNECT and goes for good: no will is published. */
  part(): void {
    if (this.#isLive) this.#send({ cmd: 'disconnect' });
    this.#retire();
    this.#socket?.end();
  }

  #retire(): void {
    this.#forget();
    this.#isOver = true;
    for (const timer of [this.#pump, this.#pinger, this.#retry, this.#impatience]) if (timer !== null) clearTimeout(timer);
    this.#isLive = false;
  }

  #connect(): void {
    const { ports, clean = false, keepAliveSeconds = 0, will, patienceMs } = this.#options;
    const choice = ports();
    const socket = connectTcp({ port: choice[this.#attempts++ % choice.length]!, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    const parse = parser({ protocolVersion: this.#version });
    this.#heardAt = performance.now();
    parse.on('packet', (packet) => {
      if (this.#socket === socket) this.#take(packet);
    });
    parse.on('error', (error: unknown) => socket.destroy(error as Error));
    socket.on('data', (bytes: Buffer) => {
      this.#heardAt = performance.now();
      parse.parse(bytes);
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.#socket === socket) this.#lost();
    });
    const connect: IConnectPacket = {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.#version,
      clean,
      clientId: this.id,
      keepalive: keepAliveSeconds,
      ...(this.#version === 5 && !clean ? { properties: { sessionExpiryInterval: sessionExpirySeconds } } : {}),
      ...(will === undefined ? {} : { will }),
    };
    this.#send(connect);
    if (keepAliveSeconds > 0 && this.#pinger === null) {
      this.#pinger = setInterval(() => {
        if (this.#isLive) this.#send({ cmd: 'pingreq' });
      }, keepAliveSeconds * 500);
    }
    if (patienceMs !== undefined) this.#impatience ??= setInterval(() => {
      this.#loseHeart(patienceMs);
    }, patienceMs / 4);
  }

  get #version(): 4 | 5 {
    return this.#options.version ?? 4;
  }

  /** Asks whether anybody is there, and gives the connection up when nobody answers. */
  #loseHeart(patienceMs: number): void {
    if (this.#socket === null || this.#socket.destroyed) return;
    if (performance.now() - this.#heardAt > patienceMs) this.#socket.destroy();
    else if (this.#isLive) this.#send({ cmd: 'pingreq' });
  }

  #lost(): void {
    if (this.#isOver) return;
    if (this.#isLive) {
      this.losses++;
      this.#lostAt = performance.now();
    }
    this.#isLive = false;
    if (!this.#comesBack) return;
    this.#retry = setTimeout(() => {
      this.#connect();
    }, reconnectMs);
  }

  #take(packet: Packet): void {
    switch (packet.cmd) {
      case 'connack':
        this.#welcome(packet);
        break;
      case 'suback':
        this.#isSubscribed = true;
        break;
      case 'puback':
        this.#finish(packet.messageId!);
        break;
      case 'pubrec':
        this.#received(packet.messageId!);
        break;
      case 'pubcomp':
        this.#outgoing.delete(packet.messageId!);
        break;
      case 'publish':
        this.#arrive(packet.topic, String(packet.payload), packet.qos, packet.messageId);
        break;
      case 'pubrel':
        this.#halfReceived.delete(packet.messageId!);
        this.#send({ cmd: 'pubcomp', messageId: packet.messageId! });
        break;
      default:
        break;
    }
  }

  #welcome({ returnCode, reasonCode, sessionPresent }: IConnackPacket): void {
    if ((returnCode ?? reasonCode ?? 0) !== 0) return;
    if (this.connects++ > 0) this.longestAwayMs = Math.max(this.longestAwayMs, performance.now() - this.#lostAt);
    this.#isLive = true;
    if (sessionPresent) this.resumes++;
    else this.#forgetSession();
    for (const [messageId, outgoing] of this.#outgoing) {
      if (outgoing.isReceived) this.#send({ cmd: 'pubrel', messageId });
      else this.#sendPublish(messageId, outgoing, true);
    }
    const { subscribe } = this.#options;
    if (subscribe === undefined || this.#isSubscribed) return;
    const subscriptions = subscribe.filters.map((topic) => ({ topic, qos: subscribe.qos }));
    this.#send({ cmd: 'subscribe', messageId: packetIds, subscriptions });
  }

  /** The broker knows nothing of it any more: what is not acknowledged is published anew [MQTT-3.2.2-2]. */
  #forgetSession(): void {
    this.#isSubscribed = false;
    this.#halfReceived.clear();
    for (const [packetId, { isReceived }] of this.#outgoing) if (isReceived) this.#outgoing.delete(packetId);
  }

  #finish(packetId: number): void {
    const outgoing = this.#outgoing.get(packetId);
    if (outgoing === undefined) return;
    this.#outgoing.delete(packetId);
    this.#noteAcknowledged(outgoing);
  }

  /** After PUBREC the message is the broker's: the ledger holds it to that, and does not wait for PUBCOMP. */
  #received(messageId: number): void {
    const outgoing = this.#outgoing.get(messageId);
    if (outgoing !== undefined && !outgoing.isReceived) {
      outgoing.isReceived = true;
      this.#noteAcknowledged(outgoing);
    }
    this.#send({ cmd: 'pubrel', messageId });
  }

  #noteAcknowledged({ topic, seq, sentAt }: Outgoing): void {
    this.acknowledged++;
    this.acknowledgedAt = performance.now();
    this.longestWaitMs = Math.max(this.longestWaitMs, this.acknowledgedAt - sentAt);
    this.#options.ledger.acknowledged(this.id, topic, seq);
  }

  #arrive(topic: string, payload: string, qos: number, messageId: number | undefined): void {
    this.arrivals++;
    const isRepetition = qos === 2 && this.#halfReceived.has(messageId!);
    if (qos === 2) this.#halfReceived.add(messageId!);
    if (!isRepetition) {
      const [publisher = '', seq = ''] = payload.split(' ');
      this.#options.ledger.received(this.#options.subscribe?.as ?? this.id, publisher, topic, Number(seq));
    }
    if (qos === 1) this.#send({ cmd: 'puback', messageId: messageId! });
    if (qos === 2) this.#send({ cmd: 'pubrec', messageId: messageId! });
  }

  #sendPublish(messageId: number, { topic, seq, qos, retain }: Outgoing, dup: boolean): void {
    this.#send({ cmd: 'publish', topic, payload: `${this.id} ${seq}`, qos, dup, retain, ...(qos > 0 ? { messageId } : {}) });
  }

  #send(packet: Packet): void {
    this.#socket?.write(generate(packet, { protocolVersion: this.#version }));
  }

  /** The last identifier is the one of SUBSCRIBE. */
  #nextPacketId(): number {
    do this.#lastPacketId = (this.#lastPacketId % (packetIds - 1)) + 1;
    while (this.#outgoing.has(this.#lastPacketId));
    return this.#lastPacketId;
  }
}

/** For filters without wildcards, or with `/#` at the end: what these tests use. */
export function matches(filter: string, topic: string): boolean {
  return filter === topic || (filter.endsWith('/#') && topic.startsWith(filter.slice(0, -1)));
}
