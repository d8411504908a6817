/** Where the frames of a stream go. Nothing is copied: positions are valid during the call only. */
export interface FrameSink {
  /** A PUBLISH: `id` is 0 with QoS 0; the payload begins at `payloadAt`. */
  message(buffer: Buffer, payloadAt: number, qos: number, id: number): void;
  /** Any other packet, by its type (2 CONNACK, 4 PUBACK, ...), with its body at `[from, to)`. */
  packet(type: number, buffer: Buffer, from: number, to: number): void;
}

/** Gives every whole frame of `buffer[0, end)` to the sink; returns where the first unfinished one begins. */
export function scan(buffer: Buffer, end: number, sink: FrameSink): number {
  let at = 0;
  while (at + 2 <= end) {
    let from = at + 2;
    let last = byteAt(buffer, at + 1);
    let length = last & 0x7f;
    for (let shift = 7; last > 0x7f; shift += 7) {
      if (from >= end) return at;
      last = byteAt(buffer, from++);
      length |= (last & 0x7f) << shift;
    }
    const to = from + length;
    if (to > end) return at;

    const first = byteAt(buffer, at);
    if (first >> 4 === 3) {
      const qos = (first >> 1) & 3;
      const afterTopic = from + 2 + shortAt(buffer, from);
      if (qos === 0) sink.message(buffer, afterTopic, 0, 0);
      else sink.message(buffer, afterTopic + 2, qos, shortAt(buffer, afterTopic));
    } else {
      sink.packet(first >> 4, buffer, from, to);
    }
    at = to;
  }
  return at;
}

/** Puts the chunks of one stream together to frames: keeps only the unfinished rest of a chunk. */
export class FrameStream {
  #rest: Buffer | undefined;

  /** The bytes of `chunk` may be used again by the caller afterwards. */
  read(chunk: Buffer, length: number, sink: FrameSink): void {
    let buffer = chunk;
    let end = length;
    if (this.#rest !== undefined) {
      buffer = Buffer.concat([this.#rest, chunk.subarray(0, length)]);
      end = buffer.length;
    }
    const scanned = scan(buffer, end, sink);
    this.#rest = scanned === end ? undefined : Buffer.from(buffer.subarray(scanned, end));
  }
}

export function shortAt(buffer: Buffer, at: number): number {
  return (byteAt(buffer, at) << 8) | byteAt(buffer, at + 1);
}

export function wordAt(buffer: Buffer, at: number): number {
  return ((shortAt(buffer, at) << 16) | shortAt(buffer, at + 2)) >>> 0;
}

function byteAt(buffer: Buffer, at: number): number {
  return buffer[at] as number;
}
