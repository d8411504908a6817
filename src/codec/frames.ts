import { BrokerError } from '../base/errors.ts';
import { noBytes } from '../base/message.ts';
import { byteAt } from './bytes.ts';
import { malformed, packetName } from './packets.ts';

const unknown = -1;
const firstCapacity = 4096;

/**
 * Turns a stream of chunks into packets. One exists per connection, so it is small and holds no bytes while idle.
 *
 * A packet that lies whole in a chunk is given as a view of the chunk. A packet that is cut off is held: its bytes are
 * copied into a buffer of its own, of the packet's exact size when that is not much more than what has arrived, else
 * one that doubles, so that each byte is copied about once and a peer occupies no more than twice what it has sent.
 * Held buffers are never used again: what was given out stays as it is.
 */
export class FrameReader {
  /** The largest packet let through, fixed header included. */
  maxPacketBytes: number;
  /**
   * Refuse a remaining length that is not in its shortest form. MQTT 5 demands it [MQTT-1.5.5-1], MQTT 3 does not, so
   * it is switched on once the version is known.
   */
  shortestLength = false;

  /** The packet's first byte: type and flags. This and the next three are valid after `next()` gave true. */
  first = 0;
  /** The body (variable header and payload) is `buffer[start, end)`. */
  buffer: Buffer = noBytes;
  start = 0;
  end = 0;

  #chunk: Buffer = noBytes;
  #at = 0;
  #held: Buffer = noBytes;
  #heldBytes = 0;
  #later: Buffer[] | null = null;

  constructor(maxPacketBytes: number) {
    this.maxPacketBytes = maxPacketBytes;
  }

  /** How many bytes are here that `next()` has not given as a packet. */
  get buffered(): number {
    let bytes = this.#heldBytes + this.#chunk.length - this.#at;
    if (this.#later !== null) for (const chunk of this.#later) bytes += chunk.length;
    return bytes;
  }

  /** Takes a chunk over: its bytes must not change from now on. */
  push(chunk: Buffer): void {
    if (this.#at === this.#chunk.length) {
      this.#chunk = chunk;
      this.#at = 0;
    } else {
      this.#later ??= [];
      this.#later.push(chunk);
    }
  }

  /**
   * Moves to the next complete packet; false when there is none yet.
   *
   * Throws `malformed-packet` for a remaining length that is none or a packet type that is reserved, and
   * `packet-too-large` as soon as the header shows it. After that the stream has lost its frame: close it.
   */
  next(): boolean {
    for (;;) {
      if (this.#heldBytes === 0 ? this.#nextInChunk() : this.#nextHeld()) return true;
      if (this.#later === null) break;
      this.#chunk = this.#later.shift() ?? noBytes;
      this.#at = 0;
      if (this.#later.length === 0) this.#later = null;
    }
    // an idle connection must not keep alive the large buffer its last chunk was cut from
    this.#chunk = noBytes;
    this.#at = 0;
    this.buffer = noBytes;
    this.start = 0;
    this.end = 0;
    return false;
  }

  /** Drops all bytes. */
  release(): void {
    this.#chunk = noBytes;
    this.#at = 0;
    this.#held = noBytes;
    this.#heldBytes = 0;
    this.#later = null;
    this.buffer = noBytes;
    this.start = 0;
    this.end = 0;
  }

  #nextInChunk(): boolean {
    const chunk = this.#chunk;
    const at = this.#at;
    if (at === chunk.length) return false;
    const total = this.#total(chunk, at, chunk.length);
    if (total !== unknown && at + total <= chunk.length) {
      this.#give(chunk, at, total);
      this.#at = at + total;
      return true;
    }
    this.#hold(total);
    return false;
  }

  #nextHeld(): boolean {
    let total = this.#total(this.#held, 0, this.#heldBytes);
    while (total === unknown && this.#at < this.#chunk.length) {
      this.#take(1, 5);
      total = this.#total(this.#held, 0, this.#heldBytes);
    }
    if (total === unknown) return false;
    this.#take(total - this.#heldBytes, total);
    if (this.#heldBytes < total) return false;
    this.#give(this.#held, 0, total);
    this.#held = noBytes;
    this.#heldBytes = 0;
    return true;
  }

  /** Moves the rest of the chunk, the beginning of a packet, into a buffer of its own. */
  #hold(total: number): void {
    const rest = this.#chunk.length - this.#at;
    this.#take(rest, total === unknown ? 5 : total);
  }

  /** Moves up to `bytes` from the chunk to the held packet, which will be `total` long. */
  #take(bytes: number, total: number): void {
    const count = Math.min(bytes, this.#chunk.length - this.#at);
    const size = this.#heldBytes + count;
    if (size > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.min(total, Math.max(2 * size, firstCapacity)));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    this.#chunk.copy(this.#held, this.#heldBytes, this.#at, this.#at + count);
    this.#heldBytes = size;
    this.#at += count;
  }

  #give(buffer: Buffer, at: number, total: number): void {
    let start = at + 1;
    while (byteAt(buffer, start) >= 0x80) start++;
    this.first = byteAt(buffer, at);
    this.buffer = buffer;
    this.start = start + 1;
    this.end = at + total;
  }

  /** The length of the packet at `at`, fixed header included; `unknown` while its header is cut off. [MQTT 5, 2.1.4] */
  #total(buffer: Buffer, at: number, end: number): number {
    const first = byteAt(buffer, at);
    if (first < 0x10) throw malformed(packetName(first), 'is forbidden [MQTT 5, 2.1.2]');
    let length = 0;
    for (let i = 1; i <= 4; i++) {
      if (at + i >= end) return unknown;
      const byte = byteAt(buffer, at + i);
      length |= (byte & 0x7f) << (7 * (i - 1));
      if (byte >= 0x80) continue;
      if (byte === 0 && i > 1 && this.shortestLength) {
        throw malformed(packetName(first), 'remaining length is not in its shortest form [MQTT-1.5.5-1]');
      }
      const total = 1 + i + length;
      if (total > this.maxPacketBytes) {
        throw new BrokerError(
          'packet-too-large',
          `${packetName(first)}: ${total} bytes are announced, ${this.maxPacketBytes} are allowed`,
        );
      }
      return total;
    }
    throw malformed(packetName(first), 'remaining length is longer than four bytes [MQTT 5, 2.1.4]');
  }
}
