import assert from 'node:assert/strict';
import { faultKinds, scheduleOf, type Fault } from '../chaos/schedule.ts';

const lengthMs = 45_000;

describe('The schedule of a chaos round', () => {
  it('is the same for the same seed and round, and another for another', () => {
    const once = scheduleOf(7, 3, lengthMs, 3);
    assert.deepEqual(scheduleOf(7, 3, lengthMs, 3), once);
    assert.notDeepEqual(scheduleOf(8, 3, lengthMs, 3), once);
    assert.notDeepEqual(scheduleOf(7, 4, lengthMs, 3), once);
  });

  it('stays within the round, in order, on nodes that there are', () => {
    for (let seed = 0; seed < 200; seed++) {
      const nodeCount = 1 + (seed % 4);
      let last = 0;
      for (const { atMs, forMs, nodes } of scheduleOf(seed, seed, lengthMs, nodeCount)) {
        assert.ok(atMs >= last && atMs + forMs <= lengthMs);
        assert.ok(nodes.every((node) => node >= 0 && node < nodeCount));
        assert.equal(new Set(nodes).size, nodes.length);
        last = atMs;
      }
    }
  });

  it('does no two things to the same process at the same time', () => {
    const isToProcess = ({ kind }: Fault): boolean => /^(kill|freeze|drain) .*nodes?$/.test(kind);
    for (let seed = 0; seed < 200; seed++) {
      const endsAt = new Map<number, number>();
      for (const fault of scheduleOf(seed, 0, lengthMs, 3).filter(isToProcess)) {
        for (const node of fault.nodes) {
          assert.ok((endsAt.get(node) ?? 0) <= fault.atMs, `seed ${seed}: ${fault.kind} of ${node} at ${fault.atMs}`);
          endsAt.set(node, fault.atMs + fault.forMs);
        }
      }
    }
  });

  it('has every kind of fault in a few rounds', () => {
    const seen = new Set(Array.from({ length: 20 }, (_, round) => scheduleOf(1, round, lengthMs, 3)).flat().map(({ kind }) => kind));
    assert.deepEqual([...seen].sort(), [...faultKinds].sort());
  });
});
