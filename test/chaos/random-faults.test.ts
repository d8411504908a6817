import assert from 'node:assert/strict';
import { quickLease } from './load.ts';
import { playRound } from './round.ts';
import { describeFault, scheduleOf } from './schedule.ts';
import { buildStage } from './stage.ts';

const lengthMs = 25_000;
const nodeCount = 3;

/** P1 to P7, P10: the short form of `npm run chaos`. */
describe('faults at random under load', function () {
  this.timeout(240_000);

  for (const seed of [1, 2]) {
    it(`lose, double and misplace nothing, and leave nothing behind: seed ${seed}`, async () => {
      const stage = await buildStage(nodeCount, { set: quickLease });
      const faults = scheduleOf(seed, 0, lengthMs, nodeCount);
      const { complaints, acknowledged } = await playRound(stage, { seed, round: 0, faults, lengthMs, perSecond: 20, tell: () => undefined });
      assert.deepEqual(complaints, [], faults.map(describeFault).join('\n'));
      assert.ok(acknowledged > 1000, `${acknowledged} acknowledged messages`);
      await stage.stop();
    });
  }
});
