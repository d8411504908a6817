import { connect, type IClientOptions, type IClientPublishOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from 'mqtt';
import { atEnd } from './ends.ts';
import { eventually, within } from './eventually.ts';

export interface ReceivedMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly text: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number | undefined;
  readonly properties: IPublishPacket['properties'];
}

/** MQTT.js as a test wants it: it does not reconnect by itself, and keeps what it received, in order. */
export class Client {
  /** The underlying MQTT.js client, for what this class does not offer. */
  readonly mqtt: MqttClient;
  readonly sessionPresent: boolean;
  readonly messages: ReceivedMessage[] = [];
  readonly closed: Promise<void>;
  readonly #forget: () => void;

  constructor(mqtt: MqttClient, connack: IConnackPacket, early: readonly IPublishPacket[]) {
    this.mqtt = mqtt;
    this.sessionPresent = connack.sessionPresent;
    for (const packet of early) this.#take(packet);
    mqtt.on('message', (_topic, _payload, packet) => {
      this.#take(packet);
    });
    this.closed = new Promise((resolve) => mqtt.once('close', resolve));
    this.#forget = atEnd(`client ${this.id}`, () => {
      this.drop();
    });
  }

  get id(): string {
    return this.mqtt.options.clientId ?? '';
  }

  /** Resolves at the SUBACK with the granted QoS of each filter. */
  async subscribe(filters: string | readonly string[], qos: 0 | 1 | 2 = 1): Promise<number[]> {
    const grants = await this.mqtt.subscribeAsync([filters].flat(), { qos });
    return grants.map((grant) => grant.qos);
  }

  /** Resolves at the UNSUBACK. */
  async unsubscribe(filters: string | readonly string[]): Promise<void> {
    await this.mqtt.unsubscribeAsync([filters].flat());
  }

  /** Resolves at the end of the exchange that the QoS asks for: sent, PUBACK, PUBCOMP. */
  async publish(topic: string, payload: string | Buffer, options: IClientPublishOptions = { qos: 1 }): Promise<void> {
    await this.mqtt.publishAsync(topic, payload, options);
  }

  /** The messages so far, once there are at least `count`. */
  async received(count: number, withinMs = 10_000): Promise<readonly ReceivedMessage[]> {
    return eventually(() => this.messages.length >= count && this.messages, {
      withinMs,
      what: () => `${count} messages at client ${this.id} (${this.messages.length} came)`,
    });
  }

  /** Says DISCONNECT and closes. */
  async end(): Promise<void> {
    this.#forget();
    await this.mqtt.endAsync();
  }

  /** Goes away without a word, as a car in a tunnel. */
  drop(): void {
    this.#forget();
    this.mqtt.end(true);
    this.mqtt.stream.destroy();
  }

  #take(packet: IPublishPacket): void {
    const payload = Buffer.from(packet.payload);
    this.messages.push({
      topic: packet.topic,
      payload,
      text: payload.toString(),
      qos: packet.qos,
      retain: packet.retain,
      dup: packet.dup,
      packetId: packet.messageId,
      properties: packet.properties,
    });
  }
}

/**
 * Connects to a URL or to a port of this machine and resolves at the CONNACK; fails with the reason of a refusal.
 * Without other wishes: MQTT 3.1.1, a clean session, a client id of MQTT.js's choice.
 */
export async function connectClient(to: string | number, options: IClientOptions = {}, withinMs = 10_000): Promise<Client> {
  const url = typeof to === 'number' ? `mqtt://127.0.0.1:${to}` : to;
  const mqtt = connect(url, { reconnectPeriod: 0, connectTimeout: withinMs, ...options });
  // a resumed session's messages may come in the same read as the CONNACK, before the caller can listen
  const early: IPublishPacket[] = [];
  const keep = (_topic: string, _payload: Buffer, packet: IPublishPacket): void => void early.push(packet);
  mqtt.on('message', keep);
  const connack = new Promise<IConnackPacket>((resolve, reject) => {
    mqtt.once('connect', resolve);
    mqtt.once('error', reject);
    mqtt.once('close', () => {
      reject(new Error(`${url} closed the connection before CONNACK`));
    });
  });
  try {
    const answer = await within(connack, withinMs, `a CONNACK from ${url}`);
    mqtt.removeListener('message', keep);
    // what breaks later is seen by its effects: `closed`, a rejected publish
    mqtt.on('error', () => undefined);
    return new Client(mqtt, answer, early);
  } catch (error) {
    mqtt.on('error', () => undefined);
    mqtt.end(true);
    throw error;
  }
}
