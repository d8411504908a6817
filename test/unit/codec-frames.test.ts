import assert from 'node:assert/strict';
import { FrameReader } from '../../src/codec/frames.ts';
import { bytes, packet, randomFrom, refuses } from '../support/codec.ts';

const limit = 1_000_000;

/** All packets of these chunks, as first byte and body. */
function packetsOf(chunks: Buffer[], frames = new FrameReader(limit)): string[] {
  const found: string[] = [];
  for (const chunk of chunks) {
    frames.push(chunk);
    while (frames.next()) found.push(show(frames));
  }
  return found;
}

function show(frames: FrameReader): string {
  return `${frames.first.toString(16)} ${frames.buffer.toString('hex', frames.start, frames.end)}`;
}

const stream = [
  packet(0xc0, Buffer.alloc(0)),
  packet(0x30, bytes("00 01 'a' 'hello'")),
  packet(0x32, Buffer.concat([bytes("00 01 'b' 00 07"), Buffer.alloc(300, 'x')])),
  packet(0xe0, Buffer.alloc(0)),
];

describe('codec: frames', () => {
  it('packets come out of one chunk in their order', () => {
    assert.deepEqual(
      packetsOf([Buffer.concat(stream)]),
      stream.map((one) => packetsOf([one])[0]),
    );
  });

  it('a stream split at any byte gives the same packets', () => {
    const whole = Buffer.concat(stream);
    const expected = packetsOf([whole]);
    for (let cut = 0; cut <= whole.length; cut++) {
      assert.deepEqual(packetsOf([whole.subarray(0, cut), whole.subarray(cut)]), expected, `cut at ${cut}`);
    }
  });

  it('a stream of single bytes gives the same packets', () => {
    const whole = Buffer.concat(stream);
    assert.deepEqual(packetsOf([...whole].map((byte) => Buffer.of(byte))), packetsOf([whole]));
  });

  it('random packets in random chunks come out whole, pushed one by one or ahead of reading', () => {
    const random = randomFrom(7);
    for (let round = 0; round < 200; round++) {
      const sent = Array.from({ length: 1 + random(8) }, () =>
        packet(0x10 + random(0xf0), Buffer.alloc(random(10) === 0 ? random(70_000) : random(200), random(256))),
      );
      const whole = Buffer.concat(sent);
      const chunks: Buffer[] = [];
      for (let at = 0; at < whole.length;) {
        const size = 1 + random(random(2) === 0 ? 5 : 20_000);
        chunks.push(whole.subarray(at, at + size));
        at += size;
      }
      const expected = packetsOf([whole]);
      assert.deepEqual(packetsOf(chunks), expected);

      const frames = new FrameReader(limit);
      for (const chunk of chunks) frames.push(chunk);
      assert.equal(frames.buffered, whole.length);
      const found: string[] = [];
      while (frames.next()) found.push(show(frames));
      assert.deepEqual(found, expected);
    }
  });

  it('a packet that lies whole in a chunk is a view of it', () => {
    const chunk = Buffer.concat(stream);
    const frames = new FrameReader(limit);
    frames.push(chunk);
    while (frames.next()) assert.equal(frames.buffer, chunk);
  });

  it('a packet once given out is not touched by those that follow', () => {
    const frames = new FrameReader(limit);
    const [first, second] = [packet(0x30, Buffer.alloc(5000, 'a')), packet(0x30, Buffer.alloc(5000, 'b'))];
    frames.push(first.subarray(0, 100));
    assert.equal(frames.next(), false);
    frames.push(Buffer.concat([first.subarray(100), second.subarray(0, 50)]));
    assert.ok(frames.next());
    const body = frames.buffer.subarray(frames.start, frames.end);
    assert.equal(frames.next(), false);
    frames.push(second.subarray(50));
    assert.ok(frames.next());
    assert.deepEqual(body, Buffer.alloc(5000, 'a'));
  });

  it('a cut-off packet occupies little more than what has arrived of it', () => {
    const frames = new FrameReader(300_000_000);
    const before = process.memoryUsage().arrayBuffers;
    frames.push(bytes('30 ff ff ff 7f 00 01'));
    assert.equal(frames.next(), false);
    assert.equal(frames.buffered, 7);
    frames.push(Buffer.alloc(10_000));
    assert.equal(frames.next(), false);
    assert.equal(frames.buffered, 10_007);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000, 'the announced 268 MB are not set aside');
  });

  it('nothing is held once all packets are given', () => {
    const frames = new FrameReader(limit);
    packetsOf([Buffer.concat(stream)], frames);
    assert.equal(frames.buffered, 0);
    assert.equal(frames.buffer.length, 0);
  });

  it('release drops what is held', () => {
    const frames = new FrameReader(limit);
    frames.push(bytes('30 10 00'));
    assert.equal(frames.next(), false);
    frames.release();
    assert.equal(frames.buffered, 0);
    assert.deepEqual(packetsOf([bytes('c0 00')], frames), ['c0 ']);
  });

  it('a remaining length of five bytes is malformed, however it arrives', () => {
    for (const cut of [0, 1, 3, 4]) {
      const whole = bytes('30 80 80 80 80 01');
      refuses('malformed-packet', /PUBLISH: remaining length/, () =>
        packetsOf([whole.subarray(0, cut), whole.subarray(cut)]),
      );
    }
  });

  it('a remaining length that is not in its shortest form is malformed when the version demands it', () => {
    assert.deepEqual(packetsOf([bytes('c0 80 00')]), ['c0 ']);
    const frames = new FrameReader(limit);
    frames.shortestLength = true;
    refuses('malformed-packet', /PINGREQ: remaining length/, () => packetsOf([bytes('c0 80 00')], frames));
  });

  it('the reserved packet type is malformed', () => {
    refuses('malformed-packet', /reserved packet type 0/, () => packetsOf([bytes('00 00')]));
  });

  it('a packet is too large by its header alone, and the limit counts the fixed header', () => {
    const frames = new FrameReader(202);
    const largest = packet(0x30, Buffer.alloc(199));
    assert.equal(largest.length, 202);
    assert.equal(packetsOf([largest], frames).length, 1);
    refuses('packet-too-large', /PUBLISH: 203 bytes .* 202/, () => packetsOf([bytes('30 c8 01')], frames));
  });

  it('a new limit counts from the next packet on', () => {
    const frames = new FrameReader(10);
    frames.push(Buffer.concat([packet(0x30, Buffer.alloc(8)), packet(0x30, Buffer.alloc(90))]));
    assert.ok(frames.next());
    frames.maxPacketBytes = 100;
    assert.ok(frames.next());
  });
});
