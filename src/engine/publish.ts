import type { Message } from '../base/message.ts';
import type { Connection } from './connection.ts';
import type { Engine } from './engine.ts';
import { withMembers } from './groups.ts';
import type { Match } from './routes.ts';
import type { Session } from './session.ts';
import { SharedPublish } from './shared-publish.ts';

/**
 * The path of a message through a node, on one page with `commit.ts`. Every door (socket, will, Kafka, embedding) publishes
 * through it.
 *
 *   match     once, against one index of everyone who wants the topic
 *   deliver   to connected clean sessions at once (QoS 0 and 1)
 *   commit    what has to be kept or has to reach other nodes, together with everything else of this turn
 *   deliver   to persistent sessions under the number they got, to clean ones QoS 2
 *   answer    the publisher
 */
export function publish(engine: Engine, message: Message, origin: Origin): void {
  const match = engine.routes.matchFor(message.topic, message.publisher);
  engine.count.received.value++;
  if (message.qos === 0) {
    deliverHere(engine, message, match);
    withMembers(engine, message, match);
    if (match.nodes.length > 0 || match.bridges.length > 0 || message.retain) engine.commit.add(message, match, noOrigin);
    engine.hooks.onPublished?.(message, origin.session);
    origin.done?.(null);
    return;
  }
  if (message.qos === 1) deliverHere(engine, message, match);
  engine.commit.add(message, match, origin);
}

/** Who is told when the message is committed: a session by packet identifier, or a callback. */
export interface Origin {
  readonly session: Session | null;
  readonly packetId: number;
  readonly done: ((error: Error | null) => void) | null;
}

export const noOrigin: Origin = { session: null, packetId: 0, done: null };

/** Delivers to subscribers connected to this node, except what reaches them by a stored queue. */
export function deliverHere(engine: Engine, message: Message, match: Match): void {
  const { locals, listeners } = match;
  if (locals.length > 0) {
    const shared = new SharedPublish(message, locals.length, engine.clock.now());
    const forward = engine.hooks.authorizeForward;
    for (const route of locals) {
      const { session } = route;
      const isLossy = message.qos === 0 || route.qos === 0;
      if (!isLossy && session.isPersistent) continue;
      if (session.isOver) continue;
      if (message.retain && session.feed !== null && !(isLossy && session.connection.isCongested)) session.feed.note(message);
      const retain = message.retain && route.retainAsPublished;
      if (!isLossy) session.delivery.enqueue(message, route, retain);
      else if (forward === null) session.connection.sendLossy(shared, retain, route.ids);
      else forwardLossy(engine, session.connection, message, shared, retain, route.ids);
    }
  }
  for (const listener of listeners) listener.deliver(message);
}

/** A QoS 0 message to one client whose program has a say in it. QoS 1 and 2 are asked for where their queue is sent. */
export function forwardLossy(engine: Engine, connection: Connection, message: Message, shared: SharedPublish | null, retain: boolean, ids: Buffer): void {
  const { authorizeForward } = engine.hooks;
  const allowed = authorizeForward === null ? message : authorizeForward(connection, message);
  if (allowed === null) engine.count.dropped.of('not-authorized').value++;
  else connection.sendLossy(shared !== null && allowed === message ? shared : new SharedPublish(allowed, 1, engine.clock.now()), retain, ids);
}
