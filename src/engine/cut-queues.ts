import type { Batch } from '../base/batch.ts';
import { BrokerError } from '../base/errors.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';

/**
 * Looks for queues that lost their end, after the way to the store was made anew: a failover, or a restart, can take back the
 * last messages although their subscribers have had them, and then the same numbers are given once more. Their sessions
 * would take the new messages for the old ones, so they begin again from what is stored: the client is sent away and comes
 * back. Nothing else is written before the answer is here, so no number has been given twice yet.
 */
export function lookForCutQueues(engine: Engine, batch: Batch): () => void {
  const { queues } = engine.store;
  const asked: [Session, number][] = [];
  for (const session of engine.sessions.values()) {
    if (session.isPersistent && !session.isOver) asked.push([session, queues.last(batch, session.queue)]);
  }
  return () => {
    for (const [session, slot] of asked) {
      if (session.isOver || queues.lastSeq(batch, slot) >= session.delivery.nextSeq - 1) continue;
      // what it acknowledged goes by numbers that mean something else now
      session.settlement = null;
      engine.count.cutQueues.value++;
      session.connection.close(new BrokerError('store-unavailable', 'the store lost the end of this session\'s queue: it goes on from what is left'));
    }
  };
}
