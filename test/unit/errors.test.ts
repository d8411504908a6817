import assert from 'node:assert/strict';
import { asBrokerError, BrokerError, errorKinds } from '../../src/base/errors.ts';
import { reasons } from '../../src/base/reasons.ts';

/** All reason codes of MQTT 5 that tell a failure. [MQTT 5, 2.4, table 2-6] */
const failures = [
  0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92,
  0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
];

describe('errors', () => {
  it('every code has a reason, and every reason a code', () => {
    assert.deepEqual(Object.keys(reasons).sort(), Object.keys(errorKinds).sort());
  });

  it('every reason is one that the protocols know', () => {
    for (const [code, reason] of Object.entries(reasons)) {
      assert.ok(failures.includes(reason.v5), `${code}: 0x${reason.v5.toString(16)}`);
      assert.ok(reason.v3 >= 0 && reason.v3 <= 5, `${code}: return code ${reason.v3}`);
      assert.ok(reason.http >= 400 && reason.http <= 599, `${code}: status ${reason.http}`);
    }
  });

  it('an error carries code, kind, message and cause', () => {
    const cause = new Error('below');
    const error = new BrokerError('fenced', 'the session is elsewhere', cause);
    assert.equal(error.code, 'fenced');
    assert.equal(error.kind, 'lost');
    assert.equal(error.message, 'the session is elsewhere');
    assert.equal(error.cause, cause);
    assert.equal('cause' in new BrokerError('fenced', 'x'), false);
  });

  it('what was thrown by others is an internal fault', () => {
    const own = new BrokerError('kicked', 'x');
    assert.equal(asBrokerError(own), own);
    const foreign = new TypeError('bad');
    const error = asBrokerError(foreign);
    assert.deepEqual([error.code, error.kind, error.message, error.cause], ['internal', 'fault', 'bad', foreign]);
    assert.equal(asBrokerError('text').message, 'text');
  });
});
