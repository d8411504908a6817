import assert from 'node:assert/strict';
import { LoadAverages } from '../../src/engine/load-averages.ts';

describe('Load averages', () => {
  it('come to what a steady stream does per minute, the shorter ones sooner', () => {
    let count = 5;
    const loads = new LoadAverages({ jobs: () => count });
    for (let i = 0; i < 6; i++) {
      count += 20;
      loads.advance(10);
    }
    const [one, five, fifteen] = [loads.of('jobs', 1), loads.of('jobs', 5), loads.of('jobs', 15)];
    // 120 a minute: after one minute of it all but 1/e, e^-1/5 and e^-1/15 of it
    assert.deepEqual([one, five, fifteen].map(Math.round), [120 * (1 - Math.exp(-1)), 120 * (1 - Math.exp(-1 / 5)), 120 * (1 - Math.exp(-1 / 15))].map(Math.round));
    for (let i = 0; i < 1000; i++) {
      count += 20;
      loads.advance(10);
    }
    for (const minutes of [1, 5, 15] as const) assert.ok(Math.abs(loads.of('jobs', minutes) - 120) < 0.01);
  });

  it('fade when nothing comes any more', () => {
    let count = 0;
    const loads = new LoadAverages({ jobs: () => count });
    count = 100;
    loads.advance(10);
    const before = loads.of('jobs', 1);
    loads.advance(60);
    assert.ok(Math.abs(loads.of('jobs', 1) - before / Math.E) < 0.01);
  });
});
