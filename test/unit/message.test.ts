import assert from 'node:assert/strict';
import { expiryAfter, expiryLeft, Message, noBytes } from '../../src/base/message.ts';

const publishedAt = 1_000_000;
const expiring = (seconds: number): Message =>
  new Message('t', noBytes, 0, false, noBytes, expiryAfter(seconds, publishedAt), publishedAt, '');

describe('The expiry of a message', () => {
  it('is told in seconds that have begun, less those that have passed', () => {
    for (const [afterMs, left] of [[0, 100], [1, 100], [999, 100], [1_000, 99], [99_999, 1], [100_000, 0], [200_000, 0]] as const) {
      assert.equal(expiryLeft(expiring(100), publishedAt + afterMs), left, `after ${afterMs} ms`);
    }
  });

  it('is never more than it was, for a node whose clock is behind', () => {
    for (const behindMs of [1, 500, 5_000]) assert.equal(expiryLeft(expiring(100), publishedAt - behindMs), 100);
  });

  it('of 0 has passed by any clock; without one a message never expires', () => {
    assert.equal(expiring(0).expiresAt, 1);
    assert.equal(expiryLeft(expiring(0), publishedAt), 0);
    assert.equal(expiring(-1).expiresAt, 0);
  });
});
