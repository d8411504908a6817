import { encodeUnsuback, readUnsubscribe } from '../codec/subscribe.ts';
import type { Owned } from '../store/sessions.ts';
import type { Connection } from './connection.ts';
import type { Engine } from './engine.ts';
import { interestOf, isShared } from './handle-subscribe.ts';
import { sessionRoute } from './routes.ts';
import type { Session } from './session.ts';

const noSubscription = 0x11;

/** UNSUBSCRIBE from a client [MQTT 5, 3.10]. UNSUBACK goes out when it is committed. */
export function handleUnsubscribe(connection: Connection, session: Session): void {
  const { reader } = connection;
  const packet = readUnsubscribe(reader.buffer, reader.first, reader.start, reader.end, connection.version);
  connection.waitFor(
    unsubscribe(connection, session, packet.filters).then((codes) => {
      if (connection.state === 'live') connection.send(encodeUnsuback(packet.packetId, codes, connection.version));
    }),
  );
}

/** Gives a reason code for each filter. Once it resolves, no later message is added for them [MQTT-3.10.4-2]. */
export async function unsubscribe(connection: Connection, session: Session, filters: readonly string[]): Promise<number[]> {
  const { engine } = connection;
  const codes = filters.map((filter) => (session.subscriptions.has(filter) ? 0 : noSubscription));
  const standing = filters.filter((filter) => session.subscriptions.has(filter));
  for (const filter of standing) {
    const options = session.subscriptions.get(filter);
    if (options === undefined) continue;
    session.subscriptions.delete(filter);
    engine.subscribed.remove(filter);
    if (isShared(filter)) continue;
    engine.routes.removeLocal(filter, session);
    engine.interest.remove(filter, interestOf(session, options));
  }
  if (session.isPersistent && standing.length > 0 && (await removeStored(engine, session, standing)) === 'fenced') return codes;
  await engine.patiently(() => engine.interest.settled());
  engine.hooks.onUnsubscribed?.(connection, filters);
  return codes;
}

/** Removes subscriptions from a stored session and from what all nodes know. */
export async function removeStored(engine: Engine, session: Session, filters: readonly string[]): Promise<Owned> {
  const { clientId, epoch } = session;
  const owned = await engine.patiently(() => engine.store.sessions.unsubscribe(clientId, epoch, filters));
  if (owned === 'fenced') {
    engine.lost(session);
    return owned;
  }
  await engine.changeRoutes(filters.map((filter) => sessionRoute(filter, clientId, epoch, null)));
  return owned;
}
