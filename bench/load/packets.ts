/**
 * The packets a load generator sends, encoded once: MQTT 3.1.1, no library in between, so that the measured cost is
 * the broker's and not a client's.
 */
export type QoS = 0 | 1 | 2;

/** What every benchmark payload begins with: publisher, sequence, time sent in us; each 32 bits, big-endian. */
export const payloadHead = { publisherAt: 0, sequenceAt: 4, sentAt: 8, bytes: 12 } as const;

export const disconnectPacket = Buffer.from([0xe0, 0x00]);

/** 300 s. */
const keepAlive = [0x01, 0x2c];

export function connectPacket(clientId: string, isClean: boolean): Buffer {
  // as a device would: longer than any case here takes, so that nobody has to send PINGREQ
  const flags = isClean ? 0x02 : 0x00;
  return packet(0x10, [text('MQTT'), Buffer.from([4, flags, ...keepAlive]), text(clientId)]);
}

export function subscribePacket(id: number, filter: string, qos: QoS): Buffer {
  return packet(0x82, [Buffer.from([id >> 8, id & 0xff]), text(filter), Buffer.from([qos])]);
}

/** A retained message, QoS 1. */
export function encodeRetained(topic: string, sequence: number, payloadBytes: number): Buffer {
  const id = packetIdOf(sequence);
  return packet(0x33, [text(topic), Buffer.from([id >> 8, id & 0xff]), Buffer.alloc(payloadBytes, 'x')]);
}

/** The packet identifier of a publisher's message: 1..65535, again and again. */
export function packetIdOf(sequence: number): number {
  return (sequence % 65_535) + 1;
}

/**
 * The PUBLISH packets of one publisher: a ring of slots, encoded once; sending a message only stamps its slot.
 *
 * A slot may be stamped again when the message that used it has come back: the publisher's window, which is at most
 * the number of slots, sees to it. So the bytes of a slot have left the process before they change.
 */
export class PublishRing {
  readonly slots: number;
  readonly #bytes: Buffer;
  readonly #packetBytes: number;
  readonly #packetIdAt: number;
  readonly #payloadAt: number;

  constructor(publisher: number, topic: string, qos: QoS, payloadBytes: number, slots: number) {
    if (payloadBytes < payloadHead.bytes) throw new RangeError(`payload of ${payloadBytes} B: at least ${payloadHead.bytes}`);
    const payload = Buffer.alloc(payloadBytes, 'x');
    payload.writeUInt32BE(publisher, payloadHead.publisherAt);
    const id = Buffer.alloc(qos === 0 ? 0 : 2);
    const one = packet(0x30 | (qos << 1), [text(topic), id, payload]);
    this.slots = slots;
    this.#bytes = Buffer.concat(Array.from({ length: slots }, () => one));
    this.#packetBytes = one.length;
    this.#payloadAt = one.length - payloadBytes;
    this.#packetIdAt = qos === 0 ? -1 : this.#payloadAt - 2;
  }

  stamp(sequence: number, sentMicros: number): void {
    const at = (sequence % this.slots) * this.#packetBytes;
    const bytes = this.#bytes;
    if (this.#packetIdAt >= 0) bytes.writeUInt16BE(packetIdOf(sequence), at + this.#packetIdAt);
    bytes.writeUInt32BE(sequence, at + this.#payloadAt + payloadHead.sequenceAt);
    bytes.writeUInt32BE(sentMicros, at + this.#payloadAt + payloadHead.sentAt);
  }

  /** The bytes of `count` stamped messages from `sequence` on: one piece, or two where the ring wraps. */
  pieces(sequence: number, count: number): Buffer[] {
    const first = sequence % this.slots;
    const last = first + count;
    if (last <= this.slots) return [this.#piece(first, last)];
    return [this.#piece(first, this.slots), this.#piece(0, last - this.slots)];
  }

  #piece(from: number, to: number): Buffer {
    return this.#bytes.subarray(from * this.#packetBytes, to * this.#packetBytes);
  }
}

function packet(firstByte: number, parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([firstByte, ...remainingLength(body.length)]), body]);
}

function remainingLength(length: number): number[] {
  return length < 128 ? [length] : [(length & 0x7f) | 0x80, ...remainingLength(length >> 7)];
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}
