import { decodeRecord, encodeRecord } from '../codec/record.ts';
import { carryOut } from './carry-out.ts';
import type { Message } from '../base/message.ts';
import type { Engine } from './engine.ts';
import { forwardLossy } from './publish.ts';
import type { Session } from './session.ts';
import { encodeOptions, type SubscriptionOptions } from './subscription.ts';

const pauseMs = 20;

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
  for await (const page of engine.store.retained.match(filter)) {
    const messages: Message[] = [];
    for (const record of page) {
      const message = decodeRecord(record);
      if (message.expiresAt === 0 || message.expiresAt > engine.clock.now()) messages.push(message);
    }
    if (session.isOver) return;
    await deliverTo(engine, session, messages, { ...options, retainAsPublished: true });
    while (session.connection.isCongested && !session.isOver) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (session.isOver) return;
  }
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
