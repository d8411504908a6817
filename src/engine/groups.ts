import { BrokerError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import { encodeRecord } from '../codec/record.ts';
import type { QueueRef } from '../store/queues.ts';
import type { QueueTarget } from './queue-route.ts';
import type { Match } from './routes.ts';
import type { Engine } from './engine.ts';
import { directFrame } from './inbox-frames.ts';
import { forwardLossy } from './publish.ts';
import { decodeOptions, encodeOptions, encodeSharedHead, type SubscriptionOptions } from './subscription.ts';

/**
 * A member of a shared subscription [MQTT 5, 4.8.2]; its head names the group. Its queue is in the store whatever its session is, so that what it has not
 * acknowledged can go to another member when it leaves or its node dies.
 */
export interface MemberRoute extends QueueTarget {
  /** `$share/<name>/<filter>` */
  readonly group: string;
  /** the life of a node that serves the member, empty while none does */
  readonly node: string;
}

/** A group that wants a topic, with all its members: one of them gets the message. */
export interface Group {
  readonly name: string;
  readonly members: readonly MemberRoute[];
}

/** What the cluster's routes say of a member: `[options without identifiers][u8 length of the node][node][identifiers]`. */
export function encodeMember(options: SubscriptionOptions, node: string): Buffer {
  const encoded = encodeOptions(options);
  const name = Buffer.from(node);
  return Buffer.concat([encoded.subarray(0, 1), Buffer.from([name.length]), name, encoded.subarray(1)]);
}

/** Throws `store-corrupt` when the bytes are no member. */
export function decodeMember(group: string, clientId: string, bytes: Buffer, queue: QueueRef): MemberRoute {
  const nodeEnd = 2 + (bytes[1] ?? 0);
  if (bytes.length < nodeEnd) throw new BrokerError('store-corrupt', `member ${bytes.toString('hex')} of ${group} is not readable`);
  const options = decodeOptions(Buffer.concat([bytes.subarray(0, 1), bytes.subarray(nodeEnd)]));
  return { ...options, group, clientId, node: bytes.toString('utf8', 2, nodeEnd), queue, head: encodeSharedHead(options, group) };
}

/**
 * Which member gets a message: one that is connected before one that is not; of these one whose queue has room before one whose
 * queue is full; among them by `shared.strategy`.
 */
export class Groups {
  readonly #engine: Engine;
  readonly #turns = new Map<string, number>();
  #dead = new Set<string>();
  #lookedAt = -1;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** One member of each group, and none of `except`: clients that must not get it. */
  choose(groups: readonly Group[], message: Message, except: readonly string[]): MemberRoute[] {
    const chosen: MemberRoute[] = [];
    for (const group of groups) {
      const member = this.chooseFrom(group, message, except);
      if (member !== null) chosen.push(member);
    }
    return chosen;
  }

  chooseFrom({ name, members }: Group, message: Message, except: readonly string[]): MemberRoute | null {
    const others = except.length === 0 ? members : members.filter((member) => !except.includes(member.clientId));
    const connected = others.filter((member) => this.isConnected(member));
    const pool = this.#withRoom(connected.length > 0 ? connected : others);
    return pool.length < 2 ? (pool[0] ?? null) : this.#among(pool, name, message);
  }

  /** Whether somebody serves the member, as far as this node knows. */
  isConnected({ node, clientId }: MemberRoute): boolean {
    if (node === '') return false;
    if (node === this.#engine.cluster.incarnation) return this.#engine.sessions.get(clientId)?.isOver === false;
    // A node that nobody has heard of is new. Should it be dead, its burial hands on what is queued for its members.
    if (this.#lookedAt !== this.#engine.second) {
      this.#lookedAt = this.#engine.second;
      this.#dead = new Set(this.#engine.cluster.members().filter((member) => !member.isAlive).map((member) => member.incarnation));
    }
    return !this.#dead.has(node);
  }

  /** Those whose queue is not full, as far as this node knows, or all of them when every one is. */
  #withRoom(pool: readonly MemberRoute[]): readonly MemberRoute[] {
    if (!pool.some((member) => this.#isFull(member))) return pool;
    const roomy = pool.filter((member) => !this.#isFull(member));
    return roomy.length > 0 ? roomy : pool;
  }

  #isFull({ clientId, queue }: MemberRoute): boolean {
    if (this.#engine.sessions.get(clientId)?.delivery.isFull === true) return true;
    if (!queue.isFull) return false;
    // passed over it gets no push whose number would tell of room
    this.#engine.store.queues.lookAgain(queue);
    return true;
  }

  #among(pool: readonly MemberRoute[], name: string, message: Message): MemberRoute {
    switch (this.#engine.config.shared.strategy) {
      case 'round-robin':
        return this.#next(pool, name);
      case 'random':
        return pool[Math.floor(Math.random() * pool.length)]!;
      case 'local-first': {
        const here = pool.filter((member) => member.node === this.#engine.cluster.incarnation);
        return this.#next(here.length > 0 ? here : pool, name);
      }
      case 'sticky-publisher':
        return sticky(pool, message.publisher);
      case 'sticky-topic':
        return sticky(pool, message.topic);
    }
  }

  #next(pool: readonly MemberRoute[], name: string): MemberRoute {
    const turn = this.#turns.get(name) ?? 0;
    if (this.#turns.size >= 10_000) this.#turns.clear();
    this.#turns.set(name, turn + 1);
    return pool[turn % pool.length]!;
  }
}

/**
 * The match with one member of each group among its queues. A member that gets the message at QoS 0 gets it here and now.
 */
export function withMembers(engine: Engine, message: Message, match: Match, except: readonly string[] = nobody): Match {
  if (match.groups.length === 0) return match;
  const members = engine.groups.choose(match.groups, message, except);
  for (const member of members) if (!isQueued(message, member)) handOver(engine, message, member);
  return withQueued(message, match, members);
}

/** The match with those of the members among its queues that get the message by their queue. */
export function withQueued(message: Message, match: Match, members: readonly MemberRoute[]): Match {
  const queued = members.filter((member) => isQueued(message, member));
  return queued.length === 0 ? match : { ...match, queues: [...match.queues, ...queued] };
}

/** Whether the member gets the message by its queue, and not at QoS 0. */
export function isQueued(message: Message, member: MemberRoute): boolean {
  return message.qos > 0 && member.qos > 0;
}

const nobody: readonly string[] = [];

/** Whether the target is a member of a group. */
export function isMember(target: QueueTarget): target is MemberRoute {
  return 'group' in target;
}

/** Sends a message to a member at QoS 0, wherever it is. */
export function handOver(engine: Engine, message: Message, member: MemberRoute): void {
  const session = engine.sessions.get(member.clientId);
  if (session !== undefined && !session.isOver) forwardLossy(engine, session.connection, message, null, false, member.ids);
  else if (member.node !== '') engine.commit.nudge(member.node, directFrame(member), encodeRecord(message));
}

/** The member with the highest hash of itself and the key: when members come and go, only their own share moves. */
function sticky(pool: readonly MemberRoute[], key: string): MemberRoute {
  let best = pool[0]!;
  let highest = -1;
  for (const member of pool) {
    const value = hash(`${key}\0${member.clientId}`);
    if (value > highest) {
      best = member;
      highest = value;
    }
  }
  return best;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
