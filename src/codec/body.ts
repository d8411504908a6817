import { byteAt, u16At, u32At, varintAt, varintBytes } from './bytes.ts';
import { malformed } from './packets.ts';
import { readText } from './text.ts';

/**
 * A reader that walks through a packet's body field by field and refuses what is cut off (`malformed-packet`), naming
 * packet and field. For all packets but PUBLISH and its acknowledgements, which make no object per message.
 */
export class Body {
  readonly packet: string;
  readonly #buffer: Buffer;
  readonly #end: number;
  #at: number;

  constructor(packet: string, buffer: Buffer, start: number, end: number) {
    this.packet = packet;
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  u8(field: string): number {
    return byteAt(this.#buffer, this.#skip(1, field));
  }

  u16(field: string): number {
    return u16At(this.#buffer, this.#skip(2, field));
  }

  u32(field: string): number {
    return u32At(this.#buffer, this.#skip(4, field));
  }

  varint(field: string): number {
    const value = varintAt(this.#buffer, this.#at, this.#end);
    if (value < 0) throw malformed(this.packet, `${field} is cut off or not in its shortest form [MQTT-1.5.5-1]`);
    this.#at += varintBytes(value);
    return value;
  }

  text(field: string): string {
    const length = this.u16(field);
    const start = this.#skip(length, field);
    return readText(this.#buffer, start, this.#at, this.packet, field);
  }

  /** Binary Data, as a copy: what is read here outlives its chunk. [MQTT 5, 1.5.6] */
  binary(field: string): Buffer {
    const length = this.u16(field);
    const start = this.#skip(length, field);
    return Buffer.from(this.#buffer.subarray(start, this.#at));
  }

  /** The next `bytes` as a body of their own. */
  part(bytes: number, field: string): Body {
    const start = this.#skip(bytes, field);
    return new Body(this.packet, this.#buffer, start, this.#at);
  }

  /** Refuses bytes behind the last field. */
  expectEnd(): void {
    if (!this.isAtEnd) throw malformed(this.packet, `${this.#end - this.#at} bytes follow the last field`);
  }

  #skip(bytes: number, field: string): number {
    const start = this.#at;
    if (start + bytes > this.#end) throw malformed(this.packet, `${field} is cut off`);
    this.#at = start + bytes;
    return start;
  }
}
