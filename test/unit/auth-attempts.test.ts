import assert from 'node:assert/strict';
import { Attempts } from '../../src/auth/attempts.ts';

class HandClock {
  ms = 1_000;
  now = (): number => this.ms;
  monotonic = (): number => this.ms;
}

describe('failed attempts', () => {
  const limits = { free: 3, firstDelayMs: 1_000, maxDelayMs: 5_000 };

  it('have a growing delay once there were too many', () => {
    const clock = new HandClock();
    const attempts = new Attempts(limits, clock);
    for (let i = 0; i < 3; i++) {
      attempts.failed('anna', '10.0.0.1');
      assert.equal(attempts.mustWait('anna', '10.0.0.1'), false);
    }
    for (const delayMs of [1_000, 2_000, 4_000, 5_000, 5_000]) {
      attempts.failed('anna', '10.0.0.1');
      clock.ms += delayMs - 1;
      assert.equal(attempts.mustWait('anna', '10.0.0.1'), true, String(delayMs));
      clock.ms += 1;
      assert.equal(attempts.mustWait('anna', '10.0.0.1'), false, String(delayMs));
    }
  });

  it('concern the user at the address, and nobody else', () => {
    const attempts = new Attempts(limits, new HandClock());
    for (let i = 0; i < 10; i++) attempts.failed('anna', '10.0.0.1');
    assert.deepEqual(
      [attempts.mustWait('anna', '10.0.0.1'), attempts.mustWait('anna', '10.0.0.2'), attempts.mustWait('otto', '10.0.0.1'), attempts.mustWait('anna', null)],
      [true, false, false, false],
    );
  });

  it('are forgotten after a success, or ten quiet minutes', () => {
    const clock = new HandClock();
    const attempts = new Attempts(limits, clock);
    for (let i = 0; i < 3; i++) attempts.failed('anna', null);
    attempts.succeeded('anna', null);
    attempts.failed('anna', null);
    assert.equal(attempts.mustWait('anna', null), false);
    for (let i = 0; i < 9; i++) attempts.failed('anna', null);
    clock.ms += 5_000 + 600_001;
    attempts.failed('anna', null);
    assert.equal(attempts.mustWait('anna', null), false);
  });

  it('of very many are remembered up to a limit, the latest ones', () => {
    const attempts = new Attempts({ ...limits, free: 0 }, new HandClock());
    for (let i = 0; i <= 100_000; i++) attempts.failed(`u${i}`, null);
    assert.deepEqual([attempts.mustWait('u0', null), attempts.mustWait('u1', null), attempts.mustWait('u100000', null)], [false, true, true]);
  });

  it('cost nobody anything where the delay is 0', () => {
    const attempts = new Attempts({ free: 0, firstDelayMs: 0, maxDelayMs: 60_000 }, new HandClock());
    for (let i = 0; i < 100; i++) attempts.failed('anna', null);
    assert.equal(attempts.mustWait('anna', null), false);
  });
});
