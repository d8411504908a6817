import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { within } from '../support/eventually.ts';

/** Two clients that exchange messages all the time while a test mistreats the broker. */
export interface Canary {
  /** How many messages it has exchanged. */
  readonly count: number;
  /** Ends it; fails when a message was lost, late, or in disorder, or a connection was closed. */
  stop(): Promise<void>;
}

const patienceMs = 5_000;

export async function startCanary(port: number): Promise<Canary> {
  const hearing = await connectClient(port, { clientId: 'canary-hearing', protocolVersion: 5 });
  const singing = await connectClient(port, { clientId: 'canary-singing' });
  let isClosed = false;
  for (const client of [hearing, singing]) void client.closed.then(() => (isClosed = true));
  await hearing.subscribe('canary/#', 2);
  let count = 0;
  let isOver = false;
  const sing = async (): Promise<void> => {
    while (!isOver) {
      const qos = (count % 3) as 0 | 1 | 2;
      await within(singing.publish(`canary/${qos}`, String(count), { qos }), patienceMs, `the end of the canary's message ${count}`);
      count++;
      await hearing.received(count, patienceMs);
    }
  };
  const song = sing();
  // told by `stop`
  song.catch(() => undefined);
  return {
    get count() {
      return count;
    },
    async stop() {
      isOver = true;
      await song;
      assert.equal(isClosed, false, 'the canary is still connected');
      assert.deepEqual(hearing.messages.map(({ text }) => text), Array.from({ length: count }, (_, i) => String(i)));
      await hearing.end();
      await singing.end();
    },
  };
}
