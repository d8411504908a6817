import type { Batch } from '../base/batch.ts';
import type { Message } from '../base/message.ts';
import type { Once, OnceTarget } from '../store/queues.ts';
import type { Engine } from './engine.ts';
import { liveFrame, queuedFrame } from './inbox-frames.ts';
import { isMember, type MemberRoute } from './groups.ts';
import type { QueueTarget } from './queue-route.ts';
import type { Match } from './routes.ts';

/** The slots of a message's queue pushes, in the order of `match.queues`; -1 where a subscriber gets QoS 0 only. */
export type Pushes = number[];

/** A push that happens once: its slot, and which of its targets each queue is. */
export interface OncePush {
  readonly slot: number;
  readonly targetOf: readonly number[];
  readonly targets: readonly OnceTarget[];
}

const quietly = -1;

/** Writes one message for everyone who is not served from this node's memory: queues, other nodes, outboxes. */
export function spread(engine: Engine, batch: Batch, message: Message, match: Match, record: Buffer): Pushes | null {
  const { store, cluster } = engine;
  let pushes: Pushes | null = null;
  if (message.qos > 0 && match.queues.length > 0) {
    pushes = [];
    for (const route of match.queues) pushes.push(route.qos === 0 ? quietly : store.queues.push(batch, route.queue, route.head, record));
  }
  for (const node of match.nodes) if (message.qos === 0 || node.live) cluster.inbox.send(batch, node.incarnation, liveFrame, record);
  for (const bridge of match.bridges) {
    if (engine.outboxGate.admits(bridge.outbox, message)) store.outboxes.push(batch, bridge.outbox, bridge.rule, record);
  }
  return pushes;
}

/** The numbers behind the slots, in place; 0 where nothing was stored. */
export function readPushes(engine: Engine, batch: Batch, match: Match, pushes: Pushes): readonly number[] {
  const { queues } = engine.store;
  for (let i = 0; i < pushes.length; i++) {
    const slot = pushes[i]!;
    const route = match.queues[i]!;
    pushes[i] = slot === quietly ? 0 : queues.seq(batch, route.queue, slot);
    if (pushes[i] === 0 && slot !== quietly) engine.strayRoutes.note(route.clientId);
  }
  return pushes;
}

/** The same as one step that happens once, for an incoming QoS 2 message or a will. */
export function spreadOnce(engine: Engine, batch: Batch, message: Message, match: Match, record: Buffer, once: Once): OncePush {
  const { store, cluster } = engine;
  const targets: OnceTarget[] = [];
  const targetOf: number[] = [];
  for (const route of match.queues) {
    const isPushed = message.qos > 0 && route.qos > 0;
    targetOf.push(isPushed ? targets.length : quietly);
    if (isPushed) targets.push({ kind: 'queue', queue: route.queue, head: route.head, record });
  }
  for (const node of match.nodes) {
    if (message.qos === 0 || node.live) targets.push(cluster.inbox.target(node.incarnation, liveFrame, record));
  }
  for (const bridge of match.bridges) {
    if (engine.outboxGate.admits(bridge.outbox, message)) targets.push(store.outboxes.target(bridge.outbox, bridge.rule, record));
  }
  return { slot: store.queues.pushOnce(batch, once, targets), targetOf, targets };
}

/** The number for each queue, or why nothing was done. */
export function readOnce(engine: Engine, batch: Batch, push: OncePush): readonly number[] | 'seen' | 'fenced' {
  const outcome = engine.store.queues.once(batch, push.targets, push.slot);
  if (outcome.word !== 'ok') return outcome.word;
  push.targets.forEach((target, i) => {
    if (target.kind === 'queue' && outcome.seqs[i] === 0) engine.strayRoutes.note(target.queue.clientId);
  });
  return push.targetOf.map((target) => (target === quietly ? 0 : outcome.seqs[target]!));
}

/**
 * Hands queued messages to their sessions: those served here directly, those elsewhere by a nudge to every node that has
 * connected subscribers of the topic, which is where an owner can be. The nudge may be lost, the queue may not.
 *
 * `seqs` null: it was queued before, and the numbers were lost with the answer. Its sessions look for themselves.
 */
export function deliverQueued(engine: Engine, message: Message, record: Buffer, match: Match, seqs: readonly number[] | null): void {
  let elsewhere: { route: QueueTarget; seq: number }[] | null = null;
  for (let i = 0; i < match.queues.length; i++) {
    const route = match.queues[i]!;
    const seq = seqs === null ? 0 : seqs[i]!;
    if (seqs === null ? route.qos === 0 : seq === 0) continue;
    if (isMember(route)) deliverToMember(engine, message, record, route, seq);
    else if (!isServedHere(engine, message, route, seq)) (elsewhere ??= []).push({ route, seq });
  }
  if (elsewhere === null) return;
  // asked anew: an owner's interest may have come to light in the very commit that queued the message
  const { nodes } = engine.routes.matchFor(message.topic, message.publisher);
  if (nodes.length === 0) return;
  const head = queuedFrame(elsewhere);
  for (const node of nodes) engine.commit.nudge(node.incarnation, head, record);
}

/** Hands a queued message to a member of a group: its route tells where it is. */
export function deliverToMember(engine: Engine, message: Message, record: Buffer, member: MemberRoute, seq: number): void {
  if (isServedHere(engine, message, member, seq) || member.node === '') return;
  engine.commit.nudge(member.node, queuedFrame([{ route: member, seq }]), record);
}

function isServedHere(engine: Engine, message: Message, route: QueueTarget, seq: number): boolean {
  const session = engine.sessions.get(route.clientId);
  if (session === undefined || session.isOver) return false;
  if (message.retain) session.feed?.note(message);
  session.delivery.offer(seq, message, route, message.retain && route.retainAsPublished);
  return true;
}
