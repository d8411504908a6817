import type { Message } from '../base/message.ts';
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
 * is that of its owner, or of a dead one for which this is done. `isEnding`: the session will not come back, so it is a member
 * no more, and others that are not connected are better than none.
 */
export async function leaveGroups(engine: Engine, clientId: string, epoch: number, isEnding: boolean): Promise<void> {
  const memberships = engine.routes.membershipsOf(clientId);
  if (memberships.length === 0) return;
  const left = (member: MemberRoute): Buffer | null => (isEnding ? null : encodeMember(member, ''));
  await engine.changeRoutes(memberships.map((member) => sessionRoute(member.group, clientId, epoch, left(member))));
  // it came back meanwhile, and its node has said so
  if (engine.routes.membershipsOf(clientId).some(({ node }) => isEnding || node !== '')) return;
  const leaver: Leaver = { clientId, epoch, queue: engine.store.queues.ref(clientId), isEnding };
  for (let from = 1; ; ) {
    const entries = await engine.patiently(() => engine.store.queues.read(leaver.queue, from, atOnce));
    const last = entries.at(-1);
    if (last === undefined) return;
    from = last.seq + 1;
    await handBack(engine, leaver, entries);
  }
}

interface Leaver {
  readonly clientId: string;
  readonly epoch: number;
  readonly queue: QueueRef;
  readonly isEnding: boolean;
}

interface Handed {
  readonly entry: QueueEntry;
  readonly message: Message;
  readonly group: string;
  /** who does not get it: the leaver, and members that left while it was handed to them */
  readonly except: string[];
}

/**
 * Moves the QoS 1 messages that a member got for its groups, and did not acknowledge, to other members; those for which there
 * is none stay. QoS 2 keeps to its member, which may have it already.
 *
 * A message is removed here only when it is queued for a member that was still there after that: of two members that leave at
 * the same time the one may be handed what the other has just finished handing back. A crash in between delivers a message
 * twice, never not at all.
 */
async function handBack(engine: Engine, leaver: Leaver, entries: readonly QueueEntry[]): Promise<void> {
  let open = entries.flatMap((entry) => handed(leaver, entry));
  while (open.length > 0) {
    const { store, cluster, routes } = engine;
    const batch = store.begin();
    const pushed: { one: Handed; member: MemberRoute; slot: number }[] = [];
    for (const one of open) {
      const member = engine.groups.chooseFrom({ name: one.group, members: routes.membersOf(one.group) }, one.message, one.except);
      if (member === null || member.qos === 0 || (!leaver.isEnding && !engine.groups.isConnected(member))) continue;
      pushed.push({ one, member, slot: store.queues.push(batch, member.queue, member.head, one.entry.record) });
    }
    if (pushed.length === 0) return;
    const news = cluster.routes.read(batch);
    await carryOut(batch);
    const stored = pushed.map((push) => ({ ...push, seq: store.queues.seq(batch, push.member.queue, push.slot) }));
    if (!cluster.routes.follow(batch, news)) await engine.patiently(() => cluster.routes.catchUp());
    const settled = stored.filter(({ member, seq }) => seq > 0 && isStillThere(engine, member));
    open = stored.filter((push) => !settled.includes(push)).map(({ one, member }) => ({ ...one, except: [...one.except, member.clientId] }));
    await settle(engine, leaver, settled);
  }
}

function handed({ clientId }: Leaver, entry: QueueEntry): Handed[] {
  const group = groupOf(entry.head);
  if (group === null) return [];
  const message = decodeRecord(entry.record);
  return message.qos === 1 ? [{ entry, message, group, except: [clientId] }] : [];
}

function isStillThere(engine: Engine, member: MemberRoute): boolean {
  return engine.routes.membersOf(member.group).some((one) => one.clientId === member.clientId && one.node === member.node);
}

async function settle(engine: Engine, leaver: Leaver, settled: readonly { one: Handed; member: MemberRoute; seq: number }[]): Promise<void> {
  if (settled.length === 0) return;
  const removal = engine.store.begin();
  engine.store.queues.acknowledge(removal, leaver.queue, leaver.epoch, settled.map(({ one }) => one.entry.seq));
  await carryOut(removal);
  for (const { one, member, seq } of settled) deliverToMember(engine, one.message, one.entry.record, member, seq);
  engine.flushSoon();
}
