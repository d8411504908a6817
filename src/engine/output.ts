import type { Duplex } from 'node:stream';

const sizes = [1024, 16 * 1024, 256 * 1024];
/** Buffers kept of each size. */
const kept = [4096, 128, 8];
/** Larger pieces are sent from where they lie. */
export const copyBelow = 8 * 1024;

/**
 * Buffers for what connections write within one turn of the event loop. A connection that writes nothing holds none.
 *
 * A buffer comes back when the kernel took all its bytes at once, which is the rule; otherwise the socket still needs it and
 * the garbage collector has it later. Earned: without it each write allocates, and collection takes a fifth of the time.
 */
class BufferPool {
  readonly #free: Buffer[][] = sizes.map(() => []);

  take(bytes: number): Buffer {
    for (let i = 0; i < sizes.length; i++) {
      if (bytes <= sizes[i]!) return this.#free[i]!.pop() ?? Buffer.allocUnsafeSlow(sizes[i]!);
    }
    return Buffer.allocUnsafeSlow(bytes);
  }

  give(buffer: Buffer): void {
    const i = sizes.indexOf(buffer.length);
    if (i >= 0 && this.#free[i]!.length < kept[i]!) this.#free[i]!.push(buffer);
  }
}

const pool = new BufferPool();

/**
 * The outgoing bytes of one connection in one turn: collected, then written with one call.
 */
export class Output {
  readonly #stream: Duplex;
  /** whether bytes handed to the stream are copied or sent before `write` returns, so that buffers can be used again */
  readonly #isPlain: boolean;
  #buffer: Buffer | null = null;
  #end = 0;
  /** whole pieces before what is in the buffer */
  #pieces: Buffer[] | null = null;
  #pieceBytes = 0;

  constructor(stream: Duplex, isPlain: boolean) {
    this.#stream = stream;
    this.#isPlain = isPlain;
  }

  /** Bytes that wait here and in the stream. */
  get waiting(): number {
    return this.#end + this.#pieceBytes + this.#stream.writableLength;
  }

  /** The kernel has everything: the stream may be closed without waiting for anything. */
  get isSent(): boolean {
    return this.#isPlain && this.waiting === 0;
  }

  /** Bytes that wait here, for `flush`. */
  get unflushed(): number {
    return this.#end + this.#pieceBytes;
  }

  get isEmpty(): boolean {
    return this.#end === 0 && this.#pieces === null;
  }

  /** Room for `bytes` in one piece, at `end` of the given buffer; `advance` follows. */
  room(bytes: number): Buffer {
    let buffer = this.#buffer;
    if (buffer === null) {
      this.#buffer = buffer = pool.take(bytes);
    } else if (this.#end + bytes > buffer.length) {
      const larger = pool.take(Math.max(this.#end + bytes, buffer.length * 2));
      buffer.copy(larger, 0, 0, this.#end);
      pool.give(buffer);
      this.#buffer = buffer = larger;
    }
    return buffer;
  }

  get end(): number {
    return this.#end;
  }

  advance(to: number): void {
    this.#end = to;
  }

  /** Appends bytes that will not change. */
  append(bytes: Buffer): void {
    if (bytes.length < copyBelow) {
      const buffer = this.room(bytes.length);
      this.#end += bytes.copy(buffer, this.#end);
      return;
    }
    this.#cut();
    (this.#pieces ??= []).push(bytes);
    this.#pieceBytes += bytes.length;
  }

  flush(): void {
    const stream = this.#stream;
    if (this.#pieces !== null) {
      this.#cut();
      const pieces = this.#pieces;
      this.#pieces = null;
      this.#pieceBytes = 0;
      stream.cork();
      for (const piece of pieces) stream.write(piece);
      stream.uncork();
      return;
    }
    const buffer = this.#buffer;
    if (buffer === null || this.#end === 0) return;
    stream.write(buffer.subarray(0, this.#end));
    this.#buffer = null;
    this.#end = 0;
    if (this.#isPlain && stream.writableLength === 0) pool.give(buffer);
  }

  release(): void {
    this.#buffer = null;
    this.#pieces = null;
    this.#end = 0;
    this.#pieceBytes = 0;
  }

  /** Ends the buffer as a piece. */
  #cut(): void {
    if (this.#buffer === null || this.#end === 0) return;
    (this.#pieces ??= []).push(this.#buffer.subarray(0, this.#end));
    this.#pieceBytes += this.#end;
    this.#buffer = null;
    this.#end = 0;
  }
}
