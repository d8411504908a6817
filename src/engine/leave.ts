import { BrokerError } from '../base/errors.ts';
import { neverExpires, type EndedSession } from '../store/sessions.ts';
import type { Engine } from './engine.ts';
import { leaveGroups } from './hand-back.ts';
import { sessionRoute } from './routes.ts';
import type { Session } from './session.ts';
import { detach } from './handle-subscribe.ts';
import { fireWill, publishRecord } from './wills.ts';

/** A client that is sent away by a draining node has so long to come back before its will is published. */
const drainWillDelaySeconds = 15;

/**
 * Lets go of a session whose connection has ended: what its client acknowledged is committed, its will is published, delayed
 * or dropped, and the session is released to live on, or ended. While the store is away this waits.
 */
export async function leave(engine: Engine, session: Session, error: BrokerError | null): Promise<void> {
  session.isOver = true;
  session.feed?.goOn();
  detach(engine, session);
  if (session.isLost) {
    engine.cluster.unserve(session.clientId);
    return;
  }
  await engine.commit.flushed();
  // of a session that is taken over the same client goes on being the member
  if (error?.code !== 'taken-over') await leaveGroups(engine, session.clientId, session.epoch, session.expirySeconds === 0);
  const willDelay = await settleWill(engine, session, error);
  const { clientId, epoch } = session;
  const isTakeover = error?.code === 'taken-over';
  const { sessions, due } = engine.store;
  const { expirySeconds } = session;
  // a will may outlive its session by a while, when it was this node that sent the client away
  const keptSeconds = Math.max(expirySeconds, willDelay);
  if (keptSeconds > 0 || isTakeover) {
    await engine.patiently(async () => {
      if (willDelay > 0) await due.remind('wills', clientId, willDelay * 1000);
      if (!isTakeover && keptSeconds !== neverExpires) await due.remind('sessions', clientId, keptSeconds * 1000);
      await sessions.release(clientId, epoch, session.delivery.sentUpTo, expirySeconds, willDelay > 0 ? 'keep' : 'drop');
    });
  } else {
    const ended = await engine.patiently(() => sessions.end(clientId, epoch));
    if (ended === 'fenced') {
      // claimed meanwhile: the claimer waits for this word, and ends the session itself because its expiry is 0
      await engine.patiently(() => sessions.release(clientId, epoch, session.delivery.sentUpTo, 0, 'drop'));
    } else {
      await removeRoutes(engine, clientId, epoch, ended);
      if (session.isPersistent) await forgetReminder(engine, clientId);
    }
  }
  engine.cluster.unserve(clientId);
}

/**
 * What becomes of the will: null was dropped by DISCONNECT; without a delay it is published now; otherwise gives the seconds
 * that it waits for the client to come back, anywhere [MQTT-3.1.3-9].
 */
async function settleWill(engine: Engine, session: Session, error: BrokerError | null): Promise<number> {
  const { will } = session;
  if (will === null) return 0;
  const delay = Math.min(will.delaySeconds, session.expirySeconds);
  if (error?.code === 'node-draining') return Math.max(delay, drainWillDelaySeconds);
  if (delay > 0) return delay;
  await fireWill(engine, session.connection, session.clientId, session.epoch, will.record);
  return 0;
}

/** Another node claims the session: the connection is closed, and the claimer hears of it by the release. */
export async function letGo(engine: Engine, clientId: string, epoch: number): Promise<void> {
  await engine.inTurn(clientId, async () => {
    const session = engine.sessions.get(clientId);
    if (session === undefined || session.epoch >= epoch) return;
    engine.count.takeovers.value++;
    session.connection.close(takenOver());
    await session.left;
  });
}

export function takenOver(): BrokerError {
  return new BrokerError('taken-over', 'another connection with the same client identifier took the session over');
}

/** Tidies up after a session that is no more; `epoch` is its last one. */
export async function afterEnd(engine: Engine, clientId: string, epoch: number, ended: EndedSession): Promise<void> {
  await removeRoutes(engine, clientId, epoch, ended);
  if (ended.will !== null) await publishRecord(engine, ended.will);
}

/**
 * The janitor need not remember a session that is no more: its reminder is due at once, and goes. A session that was begun in the
 * meantime sets its own, and one that this should overtake is reminded of again when it is found not to be due.
 */
export async function forgetReminder(engine: Engine, clientId: string): Promise<void> {
  await engine.patiently(() => engine.store.due.remind('sessions', clientId, 0));
}

async function removeRoutes(engine: Engine, clientId: string, epoch: number, ended: EndedSession): Promise<void> {
  await engine.changeRoutes(ended.subscriptions.map(({ filter }) => sessionRoute(filter, clientId, epoch, null)));
}
