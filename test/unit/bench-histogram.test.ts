import assert from 'node:assert/strict';
import { Histogram } from '../../bench/load/histogram.ts';

describe('the latency histogram', () => {
  it('is exact below 128 us', () => {
    const histogram = new Histogram();
    for (let micros = 1; micros <= 100; micros++) histogram.record(micros);
    assert.equal(histogram.quantile(0.5), 50);
    assert.equal(histogram.quantile(0.99), 99);
    assert.equal(histogram.quantile(1), 100);
    assert.equal(histogram.quantile(0), 1);
  });

  it('never says less than was recorded, and at most 1/64 more, up to 2^32 - 1', () => {
    for (const micros of [127, 128, 129, 255, 256, 1000, 65_535, 65_536, 1_234_567, 2 ** 31, 2 ** 32 - 1]) {
      const histogram = new Histogram();
      histogram.record(micros);
      const read = histogram.quantile(1)!;
      assert.ok(read >= micros && read <= micros * (1 + 1 / 64), `${micros} was read as ${read}`);
    }
  });

  it('gives the same quantiles as sorting does, within a bucket', () => {
    const histogram = new Histogram();
    const values = Array.from({ length: 10_000 }, (_, index) => ((index * 7919) % 10_007) ** 2 % 500_000);
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);
    for (const share of [0.01, 0.5, 0.9, 0.99, 0.999]) {
      const exact = values[Math.ceil(values.length * share) - 1]!;
      const read = histogram.quantile(share)!;
      assert.ok(read >= exact && read <= exact * (1 + 1 / 64) + 1, `p${share * 100}: ${read} instead of ${exact}`);
    }
  });

  it('has no quantile when it is empty or cleared', () => {
    const histogram = new Histogram();
    assert.equal(histogram.quantile(0.5), null);
    histogram.record(5);
    histogram.clear();
    assert.equal(histogram.quantile(0.5), null);
    assert.equal(histogram.count, 0);
  });
});
