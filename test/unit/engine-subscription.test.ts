import assert from 'node:assert/strict';
import { noBytes } from '../../src/base/message.ts';
import { encodeSubscriptionId } from '../../src/codec/subscribe.ts';
import { decodeOptions, encodeOptions, mergeOptions, type SubscriptionOptions } from '../../src/engine/subscription.ts';

const flags = [false, true];
const all: SubscriptionOptions[] = ([0, 1, 2] as const).flatMap((qos) =>
  flags.flatMap((noLocal) => flags.flatMap((retainAsPublished) => [0, 1, 268_435_455].map((id) => ({ qos, noLocal, retainAsPublished, ids: encodeSubscriptionId(id) })))),
);

describe('Subscription options', () => {
  it('are read as they were written', () => {
    for (const options of all) assert.deepEqual({ ...decodeOptions(encodeOptions(options)) }, { ...options });
  });

  it('that are none are refused', () => {
    for (const bytes of [noBytes, Buffer.of(3), Buffer.of(7, 1)]) assert.throws(() => decodeOptions(bytes), { code: 'store-corrupt' });
  });

  it('merge whichever comes first: highest QoS, no local only when both say so', () => {
    for (const a of all) {
      for (const b of all) {
        const [ab, ba] = [mergeOptions(a, b), mergeOptions(b, a)];
        assert.deepEqual({ ...ab, ids: ab.ids.length }, { ...ba, ids: ba.ids.length });
        assert.equal(ab.qos, Math.max(a.qos, b.qos));
        assert.equal(ab.noLocal, a.noLocal && b.noLocal);
        assert.equal(ab.retainAsPublished, a.retainAsPublished || b.retainAsPublished);
        assert.equal(ab.ids.length, a.ids.length + b.ids.length);
      }
    }
  });
});
