import { decodeRecord } from '../codec/record.ts';
import type { Engine } from './engine.ts';
import { readFrame } from './inbox-frames.ts';
import { deliverHere, forwardLossy } from './publish.ts';
import { decodeOptions } from './subscription.ts';

/** Messages from other nodes. What cannot be read is counted and passed over: it must not stop what can. */
export function receive(engine: Engine, frames: readonly Buffer[]): void {
  for (const bytes of frames) {
    try {
      const frame = readFrame(bytes);
      const message = decodeRecord(frame.record);
      if (frame.kind === 'live') {
        deliverHere(engine, message, engine.routes.matchFor(message.topic, message.publisher));
        continue;
      }
      if (frame.kind === 'direct') {
        const session = engine.sessions.get(frame.clientId);
        if (session !== undefined && !session.isOver) forwardLossy(engine, session.connection, message, null, false, frame.ids);
        continue;
      }
      for (const { clientId, seq, head } of frame.queued) {
        const session = engine.sessions.get(clientId);
        if (session === undefined || session.isOver) continue;
        if (message.retain) session.feed?.note(message);
        const options = decodeOptions(head);
        session.delivery.offer(seq, message, options, message.retain && options.retainAsPublished);
      }
    } catch (error) {
      engine.count.dropped.of('unreadable').value++;
      engine.logLimited('store-corrupt', error, 'a message from another node cannot be read');
    }
  }
  engine.flushSoon();
}
