import { decodeRecord } from '../codec/record.ts';
import type { QueueEntry, QueueRef } from '../store/queues.ts';
import { carryOut } from './carry-out.ts';
import type { Engine } from './engine.ts';
import { encodeMember, type MemberRoute } from './groups.ts';
import { sessionRoute } from './routes.ts';
import { deliverToMember } from './spread.ts';
import { groupOf } from './subscription.ts';

const atOnce = 256;

/**
 * A member is connected no more: the others of its groups are chosen from now on, and get what it did not acknowledge. `epoch`
 * is that of its owner, or of a dead one for which this is done.
 */
export async function leaveGroups(engine: Engine, clientId: string, epoch: number): Promise<void> {
  const memberships = engine.routes.membershipsOf(clientId);
  if (memberships.length === 0) return;
  await engine.changeRoutes(memberships.map((member) => sessionRoute(member.group, clientId, encodeMember(member, ''))));
  await handBack(engine, clientId, epoch, engine.store.queues.ref(clientId));
}

/**
 * Moves the QoS 1 messages that a member got for its groups, and did not acknowledge, to other connected members; those for
 * which there is none stay. QoS 2 keeps to its member, which may have it already. A message is queued elsewhere before it is
 * removed here: a crash between the two delivers it twice, never not at all.
 */
async function handBack(engine: Engine, clientId: string, epoch: number, queue: QueueRef): Promise<void> {
  for (let from = 1; ; ) {
    const entries = await engine.patiently(() => engine.store.queues.read(queue, from, atOnce));
    const last = entries.at(-1);
    if (last === undefined) return;
    from = last.seq + 1;
    await move(engine, clientId, epoch, queue, entries);
  }
}

async function move(engine: Engine, clientId: string, epoch: number, queue: QueueRef, entries: readonly QueueEntry[]): Promise<void> {
  const { store } = engine;
  const moved: { member: MemberRoute; entry: QueueEntry; slot: number }[] = [];
  const pushes = store.begin();
  for (const entry of entries) {
    const group = groupOf(entry.head);
    if (group === null) continue;
    const message = decodeRecord(entry.record);
    if (message.qos !== 1) continue;
    const member = engine.groups.chooseFrom({ name: group, members: engine.routes.membersOf(group) }, message, [clientId]);
    if (member === null || member.qos === 0 || !engine.groups.isConnected(member)) continue;
    moved.push({ member, entry, slot: store.queues.push(pushes, member.queue, member.head, entry.record) });
  }
  if (moved.length === 0) return;
  await carryOut(pushes);
  const stored = moved.map((move) => ({ ...move, seq: store.queues.seq(pushes, move.slot) })).filter(({ seq }) => seq > 0);
  const removal = store.begin();
  store.queues.acknowledge(removal, queue, epoch, stored.map(({ entry }) => entry.seq));
  await carryOut(removal);
  for (const { member, entry, seq } of stored) deliverToMember(engine, decodeRecord(entry.record), entry.record, member, seq);
  engine.flushSoon();
}
