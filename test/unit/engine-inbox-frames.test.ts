import assert from 'node:assert/strict';
import { liveFrame, queuedFrame, readFrame } from '../../src/engine/inbox-frames.ts';
import { encodeOptions } from '../../src/engine/subscription.ts';
import { randomFrom } from '../support/codec.ts';

describe('Frames between nodes', () => {
  const record = Buffer.from('the record of a message');
  const queued = [
    { route: { clientId: 'car-7', head: Buffer.of(1) }, seq: 1 },
    { route: { clientId: 'авто', head: Buffer.of(2, 0x0b, 7) }, seq: 2 ** 47 },
    { route: { clientId: 'x'.repeat(65_535), head: encodeOptions({ qos: 2, noLocal: true, retainAsPublished: true, ids: Buffer.alloc(200, 1) }) }, seq: 65_536 },
  ];

  it('bring what was queued, and the record', () => {
    const frame = readFrame(Buffer.concat([queuedFrame(queued), record]));
    assert.ok(frame.kind === 'queued');
    assert.deepEqual(frame.queued.map(({ clientId, seq, head }) => ({ route: { clientId, head: Buffer.from(head) }, seq })), queued);
    assert.deepEqual(frame.record, record);
  });

  it('bring a live message', () => {
    const frame = readFrame(Buffer.concat([liveFrame, record]));
    assert.ok(frame.kind === 'live');
    assert.deepEqual(frame.record, record);
  });

  it('that are cut or changed are refused as corrupt, or read as something else, and nothing worse', () => {
    const random = randomFrom(3);
    const whole = queuedFrame(queued.slice(0, 2));
    for (let length = 0; length < whole.length; length++) assert.throws(() => readFrame(whole.subarray(0, length)), { code: 'store-corrupt' });
    for (let round = 0; round < 5000; round++) {
      const bytes = Buffer.concat([whole, record]);
      for (let n = 1 + random(4); n > 0; n--) bytes[random(bytes.length)] = random(256);
      try {
        readFrame(bytes);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'store-corrupt');
      }
    }
  });
});
