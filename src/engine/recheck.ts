import { BrokerError } from '../base/errors.ts';
import type { Engine } from './engine.ts';
import { unsubscribe } from './handle-unsubscribe.ts';
import type { Session } from './session.ts';

/** Sessions that are looked at before others have their turn. */
const atOnce = 200;
const pauseMs = 50;

/**
 * The rules have changed: subscriptions of connected clients that are no longer allowed are taken away, and their clients disconnected
 * (0x87), because MQTT has no other word for it. They come back to the session without these subscriptions. Those of clients that are away are
 * looked at when they come back.
 */
export async function recheckSubscriptions(engine: Engine): Promise<void> {
  let looked = 0;
  for (const session of [...engine.sessions.values()]) {
    void recheck(session).catch((error: unknown) => {
      engine.logLimited('not-authorized', error, 'a subscription that is not allowed any more could not be taken away', { client: session.clientId });
    });
    if (++looked % atOnce === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function recheck(session: Session): Promise<void> {
  const { connection } = session;
  // what is being subscribed at this moment was decided by the rules before
  while (connection.isBusy && !session.isOver) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  const { permit } = connection;
  if (permit === null || session.isOver) return;
  const refused = [...session.subscriptions].filter(([filter, { qos }]) => !permit.maySubscribe(filter, qos)).map(([filter]) => filter);
  if (refused.length === 0) return;
  await unsubscribe(connection, session, refused);
  connection.close(new BrokerError('not-authorized', 'a subscription is not allowed any more'));
}
