import assert from 'node:assert/strict';
import { FrameStream, type FrameSink, wordAt } from '../../bench/load/frames.ts';
import { payloadHead, PublishRing, subscribePacket, type QoS } from '../../bench/load/packets.ts';

class Notes implements FrameSink {
  readonly seen: string[] = [];

  message(buffer: Buffer, payloadAt: number, qos: number, id: number): void {
    const [publisher, sequence, sent] = [payloadHead.publisherAt, payloadHead.sequenceAt, payloadHead.sentAt].map((at) => wordAt(buffer, payloadAt + at));
    this.seen.push(`message qos=${qos} id=${id} publisher=${publisher} sequence=${sequence} sent=${sent}`);
  }

  packet(type: number, buffer: Buffer, from: number, to: number): void {
    this.seen.push(`packet ${type} ${buffer.toString('hex', from, to)}`);
  }
}

function readIn(chunkBytes: number, bytes: Buffer): string[] {
  const notes = new Notes();
  const frames = new FrameStream();
  // one buffer for all chunks, as the sockets do it
  const chunk = Buffer.alloc(chunkBytes);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const length = bytes.copy(chunk, 0, at, at + chunkBytes);
    frames.read(chunk, length, notes);
  }
  return notes.seen;
}

function stamped(qos: QoS, payloadBytes: number, count: number): Buffer {
  const ring = new PublishRing(7, 'a/b', qos, payloadBytes, count);
  for (let sequence = 0; sequence < count; sequence++) ring.stamp(sequence, 4_000_000_000 + sequence);
  return Buffer.concat(ring.pieces(0, count));
}

describe('the frame scanner of the load generator', () => {
  it('reads what the publish ring has stamped, for every QoS', () => {
    assert.deepEqual(readIn(10_000, stamped(0, 12, 2)), [
      'message qos=0 id=0 publisher=7 sequence=0 sent=4000000000',
      'message qos=0 id=0 publisher=7 sequence=1 sent=4000000001',
    ]);
    assert.deepEqual(readIn(10_000, stamped(1, 12, 1)), ['message qos=1 id=1 publisher=7 sequence=0 sent=4000000000']);
    assert.deepEqual(readIn(10_000, stamped(2, 12, 1)), ['message qos=2 id=1 publisher=7 sequence=0 sent=4000000000']);
  });

  it('finds the same frames however the stream is cut', () => {
    const pubacks = Buffer.from([0x40, 2, 1, 2, 0x40, 2, 1, 3]);
    const bytes = Buffer.concat([pubacks, stamped(1, 128, 3), subscribePacket(1, 'x', 1), stamped(0, 20_000, 2), pubacks]);
    const whole = readIn(bytes.length, bytes);
    assert.equal(whole.length, 10);
    for (const chunkBytes of [1, 2, 3, 7, 64, 129, 4096]) assert.deepEqual(readIn(chunkBytes, bytes), whole);
  });

  it('reads lengths of one to three bytes', () => {
    for (const payloadBytes of [12, 100, 127, 128, 16_383, 16_384, 100_000]) {
      assert.equal(readIn(1_000_000, stamped(1, payloadBytes, 2)).length, 2, `${payloadBytes} B`);
    }
  });
});

describe('the publish ring', () => {
  it('gives one piece, and two where it wraps', () => {
    const ring = new PublishRing(0, 't', 1, 16, 4);
    for (let sequence = 3; sequence < 6; sequence++) ring.stamp(sequence, 0);
    assert.equal(ring.pieces(0, 4).length, 1);
    const pieces = ring.pieces(3, 3);
    assert.equal(pieces.length, 2);
    assert.deepEqual(
      readIn(1000, Buffer.concat(pieces)),
      [3, 4, 5].map((sequence) => `message qos=1 id=${sequence + 1} publisher=0 sequence=${sequence} sent=0`),
    );
  });

  it('never uses the packet identifier 0', () => {
    const ring = new PublishRing(0, 't', 1, 16, 2);
    ring.stamp(65_534, 0);
    ring.stamp(65_535, 0);
    const ids = readIn(1000, Buffer.concat(ring.pieces(65_534, 2))).map((line) => /id=(\d+)/.exec(line)?.[1]);
    assert.deepEqual(ids, ['65535', '1']);
  });

  it('refuses a payload too small for sequence and time', () => {
    assert.throws(() => new PublishRing(0, 't', 0, 11, 1), RangeError);
  });
});
