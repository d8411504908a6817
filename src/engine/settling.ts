import type { Batch } from '../base/batch.ts';
import type { Engine } from './engine.ts';
import type { Session, Settlement } from './session.ts';

/** What of a session's settlement is on its way. */
export interface Settling {
  readonly session: Session;
  readonly work: Settlement;
  readonly slots: readonly number[];
}

/**
 * Takes the settlements of these sessions into the batch. `onlyFreeing`: no more of them than makes room in the store; the
 * sessions of which something is left stay in the set.
 */
export function writeSettlements(engine: Engine, sessions: Set<Session>, batch: Batch, onlyFreeing: boolean): Settling[] {
  const settlings: Settling[] = [];
  for (const session of sessions) {
    const work = take(session, onlyFreeing);
    if (session.settlement === null) sessions.delete(session);
    if (work !== null) settlings.push({ session, work, slots: write(engine, session, work, batch) });
  }
  return settlings;
}

function take(session: Session, onlyFreeing: boolean): Settlement | null {
  const work = session.settlement;
  session.settlement = null;
  if (work === null || !onlyFreeing || work.received.length === 0) return work;
  // to note an identifier takes room
  session.settle().received = work.received;
  return { ...work, received: [] };
}

function write(engine: Engine, { queue, epoch }: Session, work: Settlement, batch: Batch): number[] {
  const { queues } = engine.store;
  const slots: number[] = [];
  if (work.acknowledged.length > 0) slots.push(queues.acknowledge(batch, queue, epoch, work.acknowledged));
  if (work.received.length > 0) slots.push(queues.receive(batch, queue, epoch, work.received));
  if (work.completed.length > 0) slots.push(queues.complete(batch, queue, epoch, work.completed));
  if (work.forgotten.length > 0) slots.push(queues.forget(batch, queue, epoch, work.forgotten));
  return slots;
}

/** Whether the session is still its owner's; then the client is told what is committed. Throws when a reply cannot be understood. */
export function finishSettlement(engine: Engine, batch: Batch, { session, work, slots }: Settling): void {
  const { queues } = engine.store;
  if (slots.some((slot) => queues.owned(batch, slot) === 'fenced')) engine.lost(session);
  if (session.isOver) return;
  for (const seq of work.received) session.connection.sendAck(6, ((seq - 1) % 65_535) + 1, 0);
  for (const packetId of work.forgotten) {
    session.receiving--;
    session.connection.sendAck(7, packetId, 0);
  }
}
