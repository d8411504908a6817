import { decodeRecord, encodeRecord } from '../codec/record.ts';
import { carryOut } from './carry-out.ts';
import type { Message } from '../base/message.ts';
import type { Engine } from './engine.ts';
import { forwardLossy } from './publish.ts';
import type { Session } from './session.ts';
import { encodeOptions, type SubscriptionOptions } from './subscription.ts';

const pauseMs = 20;
const mostWaiting = 1000;

/**
 * Sends the retained messages of a new subscription, page by page, no faster than the client takes them [MQTT-3.3.1-9].
 * It goes on beside everything else; a client that leaves ends it.
 */
export function sendRetained(engine: Engine, session: Session, filter: string, options: SubscriptionOptions): void {
  send(engine, session, filter, options).catch((error: unknown) => {
    engine.logLimited('retained', error, 'retained messages could not be sent', { client: session.clientId, filter });
  });
}

async function send(engine: Engine, session: Session, filter: string, options: SubscriptionOptions): Promise<void> {
  const asKept = { ...options, retainAsPublished: true };
  for await (const page of engine.store.retained.match(filter)) {
    const queued: Message[] = [];
    for (const record of page) {
      const message = decodeRecord(record);
      if (message.expiresAt !== 0 && message.expiresAt <= engine.clock.now()) continue;
      if (message.qos > 0 && options.qos > 0) {
        queued.push(message);
        continue;
      }
      // each one: what is sent to a congested client without waiting is dropped
      if (!hasRoom(session)) await room(session);
      if (session.isOver) return;
      forwardLossy(engine, session.connection, message, null, message.retain, options.ids);
    }
    if (!hasRoom(session)) await room(session);
    // [MQTT-3.10.4-2]
    if (session.isOver || !session.subscriptions.has(filter)) return;
    await deliverTo(engine, session, queued, asKept);
  }
}

/** A queue in memory is not filled over what the window needs next; a stored one has limits of its own. */
function hasRoom({ connection, delivery, isPersistent }: Session): boolean {
  return !connection.isCongested && (isPersistent || delivery.waiting < mostWaiting);
}

async function room(session: Session): Promise<void> {
  while (!hasRoom(session) && !session.isOver) await new Promise((resolve) => setTimeout(resolve, pauseMs));
}

/** Hands messages to one session, past all routes, with the RETAIN flag they have. */
export async function deliverTo(engine: Engine, session: Session, messages: readonly Message[], options: SubscriptionOptions): Promise<void> {
  const head = encodeOptions(options);
  const queued = messages.filter((message) => message.qos > 0 && options.qos > 0);
  for (const message of messages) {
    if (message.qos === 0 || options.qos === 0) forwardLossy(engine, session.connection, message, null, message.retain, options.ids);
    else if (!session.isPersistent) session.delivery.enqueue(message, options, message.retain);
  }
  if (!session.isPersistent || queued.length === 0) return;
  const batch = engine.store.begin();
  const slots = queued.map((message) => engine.store.queues.push(batch, session.queue, head, encodeRecord(message)));
  await carryOut(batch);
  queued.forEach((message, i) => {
    const seq = engine.store.queues.seq(batch, slots[i]!);
    if (seq > 0) session.delivery.offer(seq, message, options, message.retain);
  });
  engine.flushSoon();
}
