import { expiryAfter, Message } from '../base/message.ts';
import { decodeRecord, encodeRecord } from '../codec/record.ts';
import type { Once } from '../store/queues.ts';
import { carryOut } from './carry-out.ts';
import type { Connection } from './connection.ts';
import type { Engine } from './engine.ts';
import { handOver, isQueued, withQueued, type MemberRoute } from './groups.ts';
import { deliverHere, noOrigin, publish } from './publish.ts';
import { readRetain, retain, type Retaining } from './retain.ts';
import { deliverQueued, deliverToMember, readOnce, spreadOnce } from './spread.ts';

/**
 * Publishes a session's will exactly once: taking it from the session and putting it on its way to everyone is one step in
 * the store, and refused when the will was taken before or the epoch is old. False: refused, there or by the program.
 *
 * Whoever subscribed before this call and has its SUBACK gets it: the routes are brought up to date first.
 */
export async function fireWill(engine: Engine, connection: Connection | null, clientId: string, epoch: number, record: Buffer): Promise<boolean> {
  const message = await authorized(engine, connection, dueNow(engine, record));
  if (message === null) return false;
  await follow(engine);
  const once: Once = { kind: 'will', clientId, epoch };
  const found = engine.routes.matchFor(message.topic, message.publisher);
  const members = engine.groups.choose(found.groups, message, []);
  const match = withQueued(message, found, members);
  const bytes = encodeRecord(message);
  const batch = engine.store.begin();
  const push = spreadOnce(engine, batch, message, match, bytes, once);
  await carryOut(batch);
  const outcome = readOnce(engine, batch, push);
  // it may have been this very call, whose answer was lost
  if (outcome === 'seen') deliverQueued(engine, message, bytes, match, null);
  if (outcome === 'seen' || outcome === 'fenced') return false;
  if (message.retain) await retainNow(engine, message, bytes);
  engine.count.wills.value++;
  deliverQueued(engine, message, bytes, match, outcome);
  deliverHere(engine, message, match);
  await handOn(engine, message, bytes, members.filter((member) => !isQueued(message, member) || outcome[match.queues.indexOf(member)] === 0));
  engine.hooks.onPublished?.(message, null);
  engine.flushSoon();
  return true;
}

/**
 * Gives the will to what has to wait until it is certain that this call sends it: members of groups at QoS 0; and for those
 * whose session has ended since they were chosen, other members.
 */
async function handOn(engine: Engine, message: Message, record: Buffer, members: readonly MemberRoute[]): Promise<void> {
  for (const chosen of members) {
    const gone: string[] = [];
    for (let member: MemberRoute | null = chosen; member !== null; ) {
      if (!isQueued(message, member)) {
        handOver(engine, message, member);
        break;
      }
      // the one that was chosen first has refused it already
      const seq = member === chosen ? 0 : await pushTo(engine, member, record);
      if (seq > 0) {
        deliverToMember(engine, message, record, member, seq);
        break;
      }
      gone.push(member.clientId);
      member = engine.groups.chooseFrom({ name: chosen.group, members: engine.routes.membersOf(chosen.group) }, message, gone);
    }
  }
}

async function pushTo(engine: Engine, { queue, head }: MemberRoute, record: Buffer): Promise<number> {
  const batch = engine.store.begin();
  const slot = engine.store.queues.push(batch, queue, head, record);
  await carryOut(batch);
  return engine.store.queues.seq(batch, queue, slot);
}

/** Publishes a will that belongs to no session any more; resolves when it is committed. */
export async function publishRecord(engine: Engine, record: Buffer): Promise<void> {
  const message = await authorized(engine, null, dueNow(engine, record));
  if (message === null) return;
  engine.count.wills.value++;
  await new Promise<void>((resolve, reject) => {
    const done = (error: Error | null): void => {
      if (error === null) resolve();
      else reject(error);
    };
    publish(engine, message, { ...noOrigin, done });
  });
}

/** The will as the embedding program lets it go; null when it refuses. `connection`: the one that left it, if it was here. */
async function authorized(engine: Engine, connection: Connection | null, will: Message): Promise<Message | null> {
  const { authorizePublish } = engine.hooks;
  if (authorizePublish === null) return will;
  try {
    return await authorizePublish(connection, will);
  } catch (error) {
    engine.count.dropped.of('not-authorized').value++;
    engine.logLimited('not-authorized', error, 'a will was refused', { client: will.publisher });
    return null;
  }
}

async function retainNow(engine: Engine, message: Message, record: Buffer): Promise<void> {
  const retaining: Retaining = { message, record, retained: null };
  const batch = engine.store.begin();
  retain(engine, batch, retaining);
  await carryOut(batch);
  readRetain(engine, batch, retaining);
}

/** Reads the route log up to now. */
async function follow(engine: Engine): Promise<void> {
  const { routes } = engine.cluster;
  const batch = engine.store.begin();
  const slot = routes.read(batch);
  await carryOut(batch);
  if (!routes.follow(batch, slot)) await engine.patiently(() => routes.catchUp());
}

/** A stored will as the message to send now: its expiry, until here a lifetime, counts from now. */
function dueNow(engine: Engine, record: Buffer): Message {
  const will = decodeRecord(record);
  const now = engine.clock.now();
  const expiresAt = will.expiresAt === 0 ? 0 : expiryAfter(Math.floor(will.expiresAt / 1000), now);
  return new Message(will.topic, will.payload, will.qos, will.retain, will.properties, expiresAt, now, will.publisher);
}
