import assert from 'node:assert/strict';
import type { Clock } from '../../src/base/clock.ts';
import { BrokerError } from '../../src/base/errors.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Admission } from '../../src/engine/admission.ts';
import { eventually } from '../support/eventually.ts';

interface Arrival {
  state: string;
  isIn: boolean;
}

describe('Admission of connects', () => {
  const make = (connectsPerSecond: number, maxWaitingConnects: number) => {
    let nowMs = 0;
    const clock: Clock = { now: () => nowMs, monotonic: () => nowMs };
    const metrics = new Metrics();
    const admission = new Admission({ connectsPerSecond, maxWaitingConnects }, clock, metrics);
    return {
      pass: (ms: number): void => void (nowMs += ms),
      metrics,
      arrive(): Arrival {
        const arrival: Arrival = { state: 'opening', isIn: false };
        const turn = admission.enter(arrival);
        if (turn === null) arrival.isIn = true;
        else void turn.then(() => (arrival.isIn = true));
        return arrival;
      },
    };
  };
  const isRefused = (error: unknown): boolean => error instanceof BrokerError && error.code === 'quota-exceeded';
  const inside = (arrivals: readonly Arrival[]): number => arrivals.filter(({ isIn }) => isIn).length;

  it('lets a tenth of a second of them in at once, and the rest at the rate, in order', async () => {
    const { arrive, pass } = make(100, 50);
    const arrivals = Array.from({ length: 40 }, arrive);
    assert.equal(inside(arrivals), 10);
    for (const more of [5, 10, 15]) {
      pass(50);
      await eventually(() => inside(arrivals) === 10 + more, { what: `${10 + more} of them inside` });
      assert.ok(arrivals.slice(0, 10 + more).every(({ isIn }) => isIn), 'first come, first served');
    }
    pass(1000);
    await eventually(() => inside(arrivals) === 25 + 10, { what: 'no more at once than the burst' });
    pass(50);
    await eventually(() => inside(arrivals) === 40, { what: 'all inside' });
  });

  it('refuses whoever comes when so many wait already, and takes others again once there is room', async () => {
    const { arrive, pass, metrics } = make(10, 2);
    const arrivals = [arrive(), arrive(), arrive()];
    assert.throws(arrive, isRefused);
    assert.match(await metrics.page(), /^swarmq_connects_refused_total 1$/m);
    assert.match(await metrics.page(), /^swarmq_connects_waiting 2$/m);
    pass(100);
    await eventually(() => inside(arrivals) === 2, { what: 'the first that waited' });
    arrivals.push(arrive());
    assert.throws(arrive, isRefused);
    for (let i = 0; i < 2; i++) {
      pass(100);
      await eventually(() => inside(arrivals) === 3 + i, { what: 'the next one' });
    }
  });

  it('gives nobody\'s place to one that has gone', async () => {
    const { arrive, pass } = make(10, 10);
    const [, gone, next] = [arrive(), arrive(), arrive()];
    gone.state = 'closed';
    pass(100);
    await eventually(() => next.isIn, { what: 'the one behind it' });
  });

  it('with no room to wait admits at the rate and refuses the rest', () => {
    const { arrive, pass } = make(20, 0);
    assert.ok(arrive().isIn && arrive().isIn);
    assert.throws(arrive, isRefused);
    pass(50);
    assert.ok(arrive().isIn);
    assert.throws(arrive, isRefused);
  });
});
