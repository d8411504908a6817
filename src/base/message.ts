export type Qos = 0 | 1 | 2;

/**
 * One application message on its way through a node.
 *
 * `properties` are the encoded MQTT 5 PUBLISH properties that travel with the message, without their length: never
 * topic alias, subscription identifier or message expiry (the expiry is `expiresAt`); empty for MQTT 3 publishers.
 * `expiresAt` and `publishedAt` are on the shared clock, in ms since 1970; `expiresAt` 0 means never.
 * `publisher` is the client id, empty for the broker itself.
 */
export class Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: Buffer;
  readonly expiresAt: number;
  readonly publishedAt: number;
  readonly publisher: string;

  constructor(
    topic: string,
    payload: Buffer,
    qos: Qos,
    retain: boolean,
    properties: Buffer,
    expiresAt: number,
    publishedAt: number,
    publisher: string,
  ) {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.properties = properties;
    this.expiresAt = expiresAt;
    this.publishedAt = publishedAt;
    this.publisher = publisher;
  }
}

/** `expiresAt` of a message with this Message Expiry Interval; -1: none. One of 0 has passed already, by every node's clock. */
export function expiryAfter(seconds: number, nowMs: number): number {
  if (seconds < 0) return 0;
  return seconds === 0 ? 1 : nowMs + seconds * 1000;
}

/**
 * What is left of the Message Expiry Interval of a message that has one, in seconds [MQTT-3.3.2-6]. Never more than it was:
 * this node's clock may be a little behind the one by which the message came.
 */
export function expiryLeft({ expiresAt, publishedAt }: Message, nowMs: number): number {
  return Math.max(0, Math.ceil((expiresAt - Math.max(nowMs, publishedAt)) / 1000));
}

export const noBytes: Buffer = Buffer.alloc(0);
