import assert from 'node:assert/strict';
import { attachClient, encoded, engineAlone } from '../support/engine-alone.ts';
import { eventually } from '../support/eventually.ts';

describe('A shared subscription of a node alone', () => {
  for (const qos of [0, 1] as const) {
    it(`whose last member has just gone gets a message at QoS ${qos} without harm`, async () => {
      const engine = await engineAlone();
      const member = await attachClient(engine, 'member', 5, ['$share/g/jobs']);
      const publisher = await attachClient(engine, 'publisher', 5);
      member.connection.close(null);
      publisher.connection.received(encoded(5, { cmd: 'publish', topic: 'jobs', payload: 'x', qos, dup: false, retain: false, ...(qos > 0 ? { messageId: 1 } : {}) }));
      await engine.commit.flushed();
      await eventually(() => engine.sessions.size === 1, { what: 'end of the member' });
      publisher.connection.received(encoded(5, { cmd: 'pingreq' }));
      await eventually(() => publisher.stream.written.includes(Buffer.of(0xd0, 0)), { what: 'PINGRESP' });
      assert.equal(engine.connections.size, 1);
    });
  }
});
