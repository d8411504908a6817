import assert from 'node:assert/strict';
import { Gate } from '../../src/base/gate.ts';

describe('a gate', () => {
  it('lets so much work be under way, the rest in the order in which it came', async () => {
    const gate = new Gate(2);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const all = [0, 1, 2, 3, 4].map((i) =>
      gate.pass(async () => {
        begun.push(i);
        await new Promise<void>((resolve) => ends.push(resolve));
        return i;
      }),
    );
    for (let done = 0; done < 5; done++) {
      await new Promise(setImmediate);
      assert.deepEqual(begun, [0, 1, 2, 3, 4].slice(0, done + 2));
      ends[done]!();
    }
    assert.deepEqual(await Promise.all(all), [0, 1, 2, 3, 4]);
  });

  it('work that fails makes room like any other', async () => {
    const gate = new Gate(1);
    await assert.rejects(gate.pass(() => Promise.reject(new Error('no'))), /no/);
    await assert.rejects(
      gate.pass(() => {
        throw new Error('not even begun');
      }),
      /not even begun/,
    );
    assert.equal(await gate.pass(() => Promise.resolve('yes')), 'yes');
  });
});
