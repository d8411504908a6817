import type { Incarnation } from './cluster.ts';

/**
 * One entry of an inbox: `[u8 version][u16 length][sender][u48 number]`, then for each frame `[u32 length][frame]`. Numbers are
 * big endian; `number` counts the entries of a sender, so that one which came twice is known. A reader skips and counts versions above its own: a new version is written only once every node can read it.
 */
export const wireVersion = 1;

/** A body larger than this ends its entry and is sent from where it lies. */
export const largeBody = 16 * 1024;

export interface Entry {
  readonly sender: Incarnation;
  readonly number: number;
  readonly frames: Buffer[];
}

const numberBytes = 6;

/** The bytes with which every entry of this sender begins, up to its number. */
export function entryOpening(sender: Incarnation): Buffer {
  const name = Buffer.from(sender);
  const opening = Buffer.allocUnsafe(3 + name.length);
  opening[0] = wireVersion;
  opening.writeUInt16BE(name.length, 1);
  name.copy(opening, 3);
  return opening;
}

/** An entry as it is written. Its memory is given away by `take`, for whoever sends it may keep pointing into it. */
export class EntryWriter {
  #bytes: Buffer;
  #end: number;

  constructor(opening: Buffer, number: number, room: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(room, opening.length + 64));
    this.#end = this.#bytes.writeUIntBE(number, opening.copy(this.#bytes, 0), numberBytes);
  }

  /** Bytes so far, the opening included. */
  get bytes(): number {
    return this.#end;
  }

  /** Adds a frame; both pieces are copied. */
  add(head: Buffer, body: Buffer | null): void {
    this.addHead(head, body === null ? 0 : body.length);
    if (body === null) return;
    this.#room(body.length);
    this.#end += body.copy(this.#bytes, this.#end);
  }

  /** Adds a frame but for its body of `bodyBytes`, which has to follow the bytes of `take` directly. */
  addHead(head: Buffer, bodyBytes: number): void {
    this.#room(4 + head.length);
    this.#end = this.#bytes.writeUInt32BE(head.length + bodyBytes, this.#end);
    this.#end += head.copy(this.#bytes, this.#end);
  }

  take(): Buffer {
    return this.#bytes.subarray(0, this.#end);
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + bytes));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

/**
 * Reads an entry; the frames point into `value`. `garbage`: no entry at all, `newer`: of a version that this release does
 * not know. Never throws, whatever the bytes.
 */
export function readEntry(value: Buffer): Entry | 'garbage' | 'newer' {
  if (value.length < 3) return 'garbage';
  const version = value[0]!;
  if (version > wireVersion) return 'newer';
  const numberAt = 3 + value.readUInt16BE(1);
  let at = numberAt + numberBytes;
  if (version !== wireVersion || at > value.length || numberAt === 3) return 'garbage';
  const sender = value.toString('utf8', 3, numberAt);
  const number = value.readUIntBE(numberAt, numberBytes);
  const frames: Buffer[] = [];
  while (at < value.length) {
    if (at + 4 > value.length) return 'garbage';
    const end = at + 4 + value.readUInt32BE(at);
    if (end > value.length) return 'garbage';
    frames.push(value.subarray(at + 4, end));
    at = end;
  }
  return { sender, number, frames };
}
