import assert from 'node:assert/strict';
import { encodeParts, RedisBatch, type Reply } from '../../src/redis/batch.ts';

/** A batch whose link keeps the bytes and answers nothing. */
function collecting(): { batch: RedisBatch; written(slots?: number[]): string } {
  const batch = new RedisBatch({ send: () => undefined });
  return {
    batch,
    written(slots) {
      const chunks: Buffer[] = [];
      batch.writeTo({ write: (chunk) => chunks.push(Buffer.from(chunk)), cork: () => undefined, uncork: () => undefined }, slots ?? null);
      return Buffer.concat(chunks).toString('latin1');
    },
  };
}

describe('redis batch encoding', () => {
  it('a command is a list of texts with their lengths in bytes', () => {
    const { batch, written } = collecting();
    assert.equal(batch.add('SET', 'ü', 12, Buffer.from([0, 13, 10])), 0);
    assert.equal(batch.size, 1);
    assert.equal(written(), '*4\r\n$3\r\nSET\r\n$2\r\n\u00c3\u00bc\r\n$2\r\n12\r\n$3\r\n\0\r\n\r\n');
  });

  it('lengths of every number of digits are right', () => {
    for (const length of [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 9999, 10_000, 16_384, 16_385, 99_999, 100_000, 1_000_000]) {
      const { batch, written } = collecting();
      batch.add('A', Buffer.alloc(length, 120));
      assert.equal(written(), `*2\r\n$1\r\nA\r\n$${length}\r\n${'x'.repeat(length)}\r\n`);
    }
  });

  it('what was encoded before goes on with the parts that follow', () => {
    const { batch, written } = collecting();
    const fixed = encodeParts(3, 'SET', 'ü');
    batch.add('GET', 'a');
    assert.equal(batch.begin(fixed), 1);
    batch.part('v');
    assert.equal(written([1]), '*3\r\n$3\r\nSET\r\n$2\r\n\u00c3\u00bc\r\n$1\r\nv\r\n');
  });

  it('a framed part has the length of its head before it', () => {
    const { batch, written } = collecting();
    batch.command(2, null);
    batch.part('A');
    batch.framed(Buffer.from('hh'), Buffer.from('body'));
    assert.equal(written(), '*2\r\n$1\r\nA\r\n$8\r\n\0\x02hhbody\r\n');
  });

  it('chosen commands are written alone and in order, large values included', () => {
    const { batch, written } = collecting();
    const large = 'y'.repeat(20_000);
    const encoded = [0, 1, 2, 3].map((i) => {
      batch.command(3, null);
      batch.part(String(i));
      batch.joined(Buffer.from(large), Buffer.from(large));
      batch.part(Buffer.from(large));
      return `*3\r\n$1\r\n${i}\r\n$40000\r\n${large}${large}\r\n$20000\r\n${large}\r\n`;
    });
    assert.equal(written(), encoded.join(''));
    assert.equal(written([1, 3]), `${encoded[1]}${encoded[3]}`);
    assert.equal(written([0]), encoded[0]);
    assert.equal(written([2]), encoded[2]);
  });

  it('the sequence of a stream id is what stands behind its dash', () => {
    const { batch } = collecting();
    const replies: [Reply, number][] = [
      [Buffer.from('1-1'), 1],
      [Buffer.from('1-1234567890'), 1_234_567_890],
      [Buffer.from(`1-${Number.MAX_SAFE_INTEGER}`), Number.MAX_SAFE_INTEGER],
      [null, 0],
      [new Error('WRONGTYPE'), 0],
    ];
    for (const [reply, seq] of replies) {
      batch.settle(0, reply);
      assert.equal(batch.seq(0), seq);
    }
  });

  it('a reset batch is empty', () => {
    const { batch, written } = collecting();
    batch.add('A', Buffer.alloc(20_000));
    batch.reset();
    assert.equal(batch.size, 0);
    batch.add('B');
    assert.equal(written(), '*1\r\n$1\r\nB\r\n');
  });
});
