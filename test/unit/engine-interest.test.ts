import assert from 'node:assert/strict';
import type { RouteChange, Routes } from '../../cluster/cluster.ts';
import { Interest } from '../../src/engine/interest.ts';

interface Table {
  readonly interest: Interest;
  /** each write, as `<filter> <live|quiet|gone>` */
  readonly writes: string[][];
  isAway: boolean;
  life: string;
  /** lets the write under way end */
  finish(): void;
}

function makeTable(isSlow = false): Table {
  let finish: () => void = () => undefined;
  const table: Table = {
    interest: new Interest(() => table.life, {
      change: async (changes: readonly RouteChange[]) => {
        if (isSlow) await new Promise<void>((resolve) => (finish = resolve));
        if (table.isAway) throw new Error('away');
        table.writes.push(changes.map(({ filter, target, options }) => `${target} ${filter} ${options === null ? 'gone' : options[0] === 1 ? 'live' : 'quiet'}`));
      },
    } as unknown as Routes),
    writes: [],
    isAway: false,
    life: 'n1#1',
    finish: () => {
      finish();
    },
  };
  return table;
}

describe('Interest', () => {
  it('is told with the first subscriber of a filter and with its last one, and not between', async () => {
    const { interest, writes } = makeTable();
    interest.add('a', 'live');
    await interest.settled();
    interest.add('a', 'live');
    interest.add('a', 'live');
    interest.remove('a', 'live');
    interest.remove('a', 'live');
    await interest.settled();
    assert.deepEqual(writes, [['n:n1#1 a live']]);
    interest.remove('a', 'live');
    await interest.settled();
    assert.deepEqual(writes, [['n:n1#1 a live'], ['n:n1#1 a gone']]);
    assert.equal(interest.size, 0);
  });

  it('is told when its kind changes: live while one wants every QoS, quiet while all have queues', async () => {
    const { interest, writes } = makeTable();
    interest.add('a', 'quiet');
    interest.add('a', 'live');
    interest.add('a', 'quiet');
    interest.remove('a', 'live');
    interest.remove('a', 'quiet');
    interest.remove('a', 'quiet');
    await interest.settled();
    assert.deepEqual(writes.flat(), ['n:n1#1 a quiet', 'n:n1#1 a live', 'n:n1#1 a quiet', 'n:n1#1 a gone']);
  });

  it('passes over a removal of what was never there', async () => {
    const { interest, writes } = makeTable();
    interest.remove('a', 'live');
    interest.add('b', 'live');
    interest.remove('b', 'quiet');
    await interest.settled();
    assert.deepEqual(writes.flat(), ['n:n1#1 b live']);
  });

  it('is written one batch after the other; who waits, waits for its own change too', async () => {
    const { interest, writes, finish } = makeTable(true);
    interest.add('a', 'live');
    const first = interest.settled();
    interest.remove('a', 'live');
    interest.add('b', 'live');
    let isSettled = false;
    const second = interest.settled().then(() => (isSettled = true));
    assert.deepEqual(writes, []);
    finish();
    await new Promise(setImmediate);
    assert.deepEqual(writes, [['n:n1#1 a live']]);
    assert.equal(isSettled, false);
    finish();
    await Promise.all([first, second]);
    assert.deepEqual(writes[1], ['n:n1#1 a gone', 'n:n1#1 b live']);
  });

  it('that could not be written is written with the next, in order', async () => {
    const table = makeTable();
    const { interest, writes } = table;
    table.isAway = true;
    interest.add('a', 'live');
    await assert.rejects(interest.settled());
    interest.remove('a', 'live');
    interest.add('b', 'quiet');
    await assert.rejects(interest.settled());
    table.isAway = false;
    await interest.settled();
    assert.deepEqual(writes, [['n:n1#1 a live', 'n:n1#1 a gone', 'n:n1#1 b quiet']]);
  });

  it('is told again in a new life, and nothing of the old life with it', async () => {
    const table = makeTable(true);
    const { interest, writes } = table;
    interest.add('a', 'live');
    table.isAway = true;
    const failing = interest.settled();
    interest.add('b', 'quiet');
    table.life = 'n1#2';
    interest.retell();
    table.finish();
    await assert.rejects(failing);
    table.isAway = false;
    const settled = interest.settled();
    table.finish();
    await settled;
    assert.deepEqual(writes, [['n:n1#2 a live', 'n:n1#2 b quiet']]);
  });
});
