import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Permit } from '../auth/permit.ts';
import { asBrokerError, BrokerError } from '../base/errors.ts';
import type { Message, Qos } from '../base/message.ts';
import { FrameReader } from '../codec/frames.ts';
import { PacketType, packetName, type ProtocolVersion } from '../codec/packets.ts';
import { pingresp, readPingreq } from '../codec/ping.ts';
import { maxAckBytes, writeAck } from '../codec/publish.ts';
import { handleAuth, type Authentication } from './handle-auth.ts';
import { handleConnect } from './handle-connect.ts';
import { handleAck } from './handle-ack.ts';
import { handleDisconnect } from './handle-disconnect.ts';
import { handlePublish } from './handle-publish.ts';
import { handleSubscribe } from './handle-subscribe.ts';
import { handleUnsubscribe } from './handle-unsubscribe.ts';
import type { Engine } from './engine.ts';
import { sayFarewell } from './farewell.ts';
import type { OutgoingAliases } from './outgoing-aliases.ts';
import { writePublish } from './outgoing-publish.ts';
import { Output } from './output.ts';
import type { Session } from './session.ts';
import type { SharedPublish } from './shared-publish.ts';

const connectionOf = Symbol('connection');
type Attached = Duplex & { [connectionOf]?: Connection };

/** How long a closed connection may take to send its last bytes. */
const lingerMs = 1000;

/**
 * One client's network connection: bytes in, packets to their handlers, bytes out.
 *
 *   new         waits for CONNECT, at most `mqtt.connectTimeoutMs`
 *   opening     CONNECT is being answered: authentication, claim of the session
 *   challenged  AUTH is out, and the client's AUTH is awaited; then it is opening again. The time of `new` goes on
 *   live        CONNACK is out
 *   closed      no packet is read or written any more; the session is being let go
 *
 * Packets are handled one after the other: while a handler waits for something, the stream is paused and later packets stay
 * unread. So a client cannot have more unanswered work here than one packet, and its order is kept.
 */
export class Connection {
  readonly engine: Engine;
  readonly stream: Duplex;
  readonly request: IncomingMessage | undefined;
  readonly output: Output;
  readonly reader: FrameReader;
  state: 'new' | 'opening' | 'challenged' | 'live' | 'closed' = 'new';
  version: ProtocolVersion = 4;
  /** empty until a CONNECT was read that may be answered */
  clientId = '';
  /** the client left the choice of its id to us */
  hasAssignedId = false;
  cleanStart = true;
  session: Session | null = null;
  /** what the embedding API shows of this connection; made when first asked for */
  facade: object | null = null;
  username: string | null = null;
  /** what the access list allows it; null: there is none */
  permit: Permit | null = null;
  /** null: CONNECT named no authentication method */
  authentication: Authentication | null = null;
  keepAliveSeconds = 0;
  /** the engine's second in which the last bytes came */
  heardAt: number;
  /** the engine's second in which somebody looks whether it fell silent */
  dueSecond = 0;
  /** largest packet that the client takes, 0 = any [MQTT-3.1.2-24] */
  maximumPacketBytes = 0;
  wantsProblemInformation = true;
  /** a bridge of MQTT 3: it gets nothing back that it sent, and RETAIN as it was */
  isBridge = false;
  /** topics behind the aliases that the client set */
  topicAliases: Map<number, string> | null = null;
  /** null: the client takes none, or we give none */
  outgoingAliases: OutgoingAliases | null = null;
  /** why it was closed; null for the peer's own doing */
  closedBy: BrokerError | null = null;
  isBusy = false;
  #holds = 0;
  #hasEnded = false;
  isDirty = false;

  constructor(engine: Engine, stream: Duplex, isPlain: boolean, request?: IncomingMessage) {
    this.engine = engine;
    this.stream = stream;
    this.request = request;
    this.output = new Output(stream, isPlain);
    this.reader = new FrameReader(engine.config.mqtt.maxPacketBytes);
    this.heardAt = engine.second;
    (stream as Attached)[connectionOf] = this;
    stream.on('data', onData);
    stream.on('drain', onDrain);
    stream.on('error', onError);
    stream.on('end', onEnd);
    stream.on('close', onEnd);
  }

  get isHeldBack(): boolean {
    return this.#holds > 0;
  }

  /** Whether so much waits to be sent that nothing should be added. */
  get isCongested(): boolean {
    return this.output.waiting > this.engine.config.socket.highWaterBytes;
  }

  received(chunk: Buffer): void {
    this.heardAt = this.engine.second;
    if (this.state === 'closed') return;
    this.engine.count.bytesReceived.value += chunk.length;
    this.reader.push(chunk);
    // most clients wait for the answer anyway: pausing before bytes come costs a tenth of a connect
    if (this.isBusy) this.stream.pause();
    else if (!this.isHeldBack) this.#readOn();
  }

  /** Reads no further packet until `work` is done; its failure closes the connection. */
  waitFor(work: Promise<unknown>): void {
    this.isBusy = true;
    work.then(
      () => {
        this.isBusy = false;
        this.#goOn();
      },
      (error: unknown) => {
        this.isBusy = false;
        this.close(asBrokerError(error));
      },
    );
  }

  /** The peer sends no more. What it sent before still counts: it may end with a DISCONNECT [MQTT-3.14.4-3]. */
  ended(): void {
    this.#hasEnded = true;
    if (!this.isBusy && !this.isHeldBack) this.close(null);
  }

  /** Back-pressure: stops reading until `letGo`, once for each `holdBack`. What was read already is kept. */
  holdBack(): void {
    if (this.#holds++ === 0 && !this.#isClosed) this.stream.pause();
  }

  letGo(): void {
    if (--this.#holds === 0) this.#goOn();
  }

  /** An answer to the client. One that takes only smaller packets cannot be served [MQTT-3.1.2-24]. */
  send(bytes: Buffer): void {
    if (this.maximumPacketBytes !== 0 && bytes.length > this.maximumPacketBytes) {
      this.close(new BrokerError('packet-too-large', `the client takes no ${packetName(bytes[0]!)} of ${bytes.length} bytes [MQTT-3.1.2-24]`));
      return;
    }
    this.output.append(bytes);
    this.engine.count.packetsSent[bytes[0]! >> 4]!.value++;
    this.#dirty();
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP. */
  sendAck(type: 4 | 5 | 6 | 7, packetId: number, reason: number): void {
    if (this.state === 'closed') return;
    const buffer = this.output.room(maxAckBytes);
    this.output.advance(writeAck(buffer, this.output.end, type, packetId, reason, this.version));
    this.engine.count.packetsSent[type]!.value++;
    this.#dirty();
  }

  /** A PUBLISH to the client. False: it is larger than the client takes, and was not sent [MQTT-3.1.2-25]. */
  sendPublish(message: Message, qos: Qos, retain: boolean, isRepeat: boolean, packetId: number, ids: Buffer): boolean {
    const alias = this.outgoingAliases === null ? 0 : this.outgoingAliases.of(message.topic);
    if (!writePublish(this, message, qos, retain, isRepeat, packetId, ids, alias)) return false;
    this.#sent(message);
    return true;
  }

  /** A QoS 0 PUBLISH, dropped and counted when its time has passed [MQTT-3.3.2-5] or the client does not keep up. */
  sendLossy(shared: SharedPublish, retain: boolean, ids: Buffer): void {
    if (this.state !== 'live') return;
    const { count } = this.engine;
    if (shared.isExpired) {
      count.dropped.of('expired').value++;
      return;
    }
    if (this.isCongested) {
      count.dropped.of('slow-client').value++;
      return;
    }
    const alias = this.outgoingAliases === null ? 0 : this.outgoingAliases.of(shared.message.topic);
    if (ids.length > 0 || this.maximumPacketBytes !== 0 || alias !== 0 || !shared.isWorthIt) {
      if (!writePublish(this, shared.message, 0, retain, false, 0, ids, alias)) {
        count.dropped.of('packet-too-large').value++;
        return;
      }
    } else {
      this.output.append(shared.bytes(this.version, retain));
    }
    this.#sent(shared.message);
  }

  /**
   * Ends the connection, with a last word about why. `error` null: the peer ended it by itself.
   */
  close(error: BrokerError | null): void {
    if (this.state === 'closed') return;
    if (error !== null) sayFarewell(this, error);
    this.drop(error);
  }

  /** Ends the connection without a word about why. */
  drop(error: BrokerError | null): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.closedBy = error;
    this.reader.release();
    this.#flush();
    this.output.release();
    if (error === null && this.output.isSent) this.stream.destroy();
    else this.#linger();
    this.engine.closed(this, error);
  }

  /** Ends the stream once its last bytes are sent, or after a while. */
  #linger(): void {
    if (this.stream.isPaused()) this.stream.resume();
    this.stream.end();
    const linger = setTimeout(() => this.stream.destroy(), lingerMs).unref();
    this.stream.once('close', () => {
      clearTimeout(linger);
    });
  }

  /** Messages stop at the high-water mark; so what is far over it are replies that the client asks for and does not take. */
  flush(): void {
    this.isDirty = false;
    if (this.#isClosed) return;
    this.#flush();
    // a stream that takes everything at once has no 'drain' to tell
    this.session?.feed?.goOn();
    const { socket, mqtt } = this.engine.config;
    if (this.output.waiting > 2 * socket.highWaterBytes + mqtt.maxPacketBytes) {
      this.close(new BrokerError('quota-exceeded', 'the client does not read what it asks for'));
    }
  }

  #goOn(): void {
    if (this.state === 'closed' || this.isBusy || this.isHeldBack) return;
    this.#readOn();
    if (this.isBusy || this.isHeldBack || this.#isClosed) return;
    if (this.#hasEnded) this.close(null);
    else if (this.stream.isPaused()) this.stream.resume();
  }

  get #isClosed(): boolean {
    return this.state === 'closed';
  }

  #readOn(): void {
    try {
      while (!this.isBusy && !this.isHeldBack && !this.#isClosed && this.reader.next()) this.#handle();
    } catch (error) {
      this.close(asBrokerError(error));
    }
  }

  #handle(): void {
    const { first } = this.reader;
    const type = first >> 4;
    this.engine.count.packetsReceived[type]!.value++;
    if (this.state === 'challenged') {
      this.#handleChallenged(type);
      return;
    }
    if (this.state !== 'live') {
      if (type !== PacketType.connect) {
        throw new BrokerError('protocol-error', `${packetName(first)} before CONNECT [MQTT-3.1.0-1]`);
      }
      this.state = 'opening';
      handleConnect(this);
      return;
    }
    switch (type) {
      case PacketType.publish:
        handlePublish(this, this.session!);
        break;
      case PacketType.puback:
      case PacketType.pubrec:
      case PacketType.pubrel:
      case PacketType.pubcomp:
        handleAck(this, this.session!);
        break;
      case PacketType.subscribe:
        handleSubscribe(this, this.session!);
        break;
      case PacketType.unsubscribe:
        handleUnsubscribe(this, this.session!);
        break;
      case PacketType.pingreq:
        readPingreq(first, this.reader.start, this.reader.end, this.version);
        this.send(pingresp);
        this.engine.hooks.onPing?.(this);
        break;
      case PacketType.disconnect:
        handleDisconnect(this, this.session!);
        break;
      case PacketType.auth:
        handleAuth(this);
        break;
      default:
        throw new BrokerError('protocol-error', `${packetName(first)} is not for a client to send now [MQTT-3.1.0-2]`);
    }
  }

  /** Until CONNACK a client that named an authentication method sends AUTH or DISCONNECT only [MQTT-3.1.2-30]. */
  #handleChallenged(type: number): void {
    if (type === PacketType.auth) handleAuth(this);
    else if (type === PacketType.disconnect) this.drop(null);
    else throw new BrokerError('protocol-error', `${packetName(this.reader.first)} before the authentication is over [MQTT-3.1.2-30]`);
  }

  #sent({ payload }: Message): void {
    const { count } = this.engine;
    count.sent.value++;
    count.packetsSent[PacketType.publish]!.value++;
    count.publishBytesSent.value += payload.length;
    this.#dirty();
  }

  #flush(): void {
    this.engine.count.bytesSent.value += this.output.unflushed;
    this.output.flush();
  }

  #dirty(): void {
    if (this.isDirty) return;
    this.isDirty = true;
    this.engine.flushLater(this);
  }
}

function onData(this: Attached, chunk: Buffer): void {
  this[connectionOf]?.received(chunk);
}

function onDrain(this: Attached): void {
  const connection = this[connectionOf];
  if (connection?.state === 'live') connection.session?.delivery.pump();
}

function onError(this: Attached, error: Error): void {
  this[connectionOf]?.drop(new BrokerError('connection-lost', error.message, error));
}

function onEnd(this: Attached): void {
  this[connectionOf]?.ended();
}
