import { SystemClock } from '../../src/base/clock.ts';
import type { Batch } from '../../src/base/batch.ts';
import { RedisLink, type RedisSettings } from '../../src/redis/connect.ts';
import { openMemoryStore } from '../../src/store/memory/store.ts';
import { openRedisStore } from '../../src/store/redis/store.ts';
import type { OpenRequest } from '../../src/store/sessions.ts';
import type { Store, StoreLimits } from '../../src/store/store.ts';
import { atEnd } from '../support/ends.ts';
import { startRedisCluster, type RedisCluster } from '../support/redis-cluster.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';

export const limits: StoreLimits = {
  queue: { maxMessages: 1000, maxBytes: 64 * 1024 * 1024, dropsNewest: false, window: 100 },
  outboxMaxEntries: 1000,
  retained: { maxMessages: 10_000, maxBytes: 10_000_000 },
};

/** The limits of tests, with other ones for queues. */
export function queueLimits(some: Partial<StoreLimits['queue']>): StoreLimits {
  return { ...limits, queue: { ...limits.queue, ...some } };
}

let prefixes = 0;

/** A link with a prefix of its own, closed with the test. */
export async function openLink(server: { readonly url: string }, settings: Partial<RedisSettings> = {}): Promise<RedisLink> {
  const prefix = `t${++prefixes}:`;
  const link = await RedisLink.open({ url: server.url, prefix, connectTimeoutMs: 5_000, commandTimeoutMs: 5_000, ...settings });
  atEnd('link to Redis', () => link.close());
  return link;
}

/** Describes what holds for every store: `body` gets a way to open an empty one. */
export function forEachStore(noun: string, body: (open: (some?: StoreLimits) => Promise<Store>) => void): void {
  describe(`${noun} in memory`, () => {
    body((some = limits) => Promise.resolve(openMemoryStore(new SystemClock(), some)));
  });
  describe(`${noun} in Redis`, () => {
    let server: RedisServer;
    before(async () => {
      server = await startRedis();
    });
    after(() => server.stop());
    body(async (some = limits) => openRedisStore(await openLink(server), some));
  });
  describe(`${noun} in a Redis Cluster`, () => {
    let cluster: RedisCluster;
    before(async function () {
      this.timeout(30_000);
      cluster = await startRedisCluster();
    });
    after(() => cluster.stop());
    body(async (some = limits) => openRedisStore(await openLink(cluster), some));
  });
}

/** Commits what `append` put into a batch of its own, and gives what it read from its slots afterwards. */
export async function committed<Result>(store: Store, append: (batch: Batch) => (batch: Batch) => Result): Promise<Result> {
  const batch = store.begin();
  const read = append(batch);
  await new Promise<void>((resolve, reject) => {
    batch.commit((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return read(batch);
}

export function opening(clientId: string, epoch: number, more: Partial<OpenRequest> = {}): OpenRequest {
  return { clientId, epoch, cleanStart: false, protocol: 4, expirySeconds: 3600, will: null, willDelaySeconds: 0, ...more };
}

/** A session that `owner` serves, with its queue. Gives the epoch. */
export async function serve(store: Store, clientId: string, owner = 'n1', more: Partial<OpenRequest> = {}): Promise<number> {
  const { epoch } = await store.sessions.claim({ clientId, owner });
  await store.sessions.open(opening(clientId, epoch, more));
  await store.sessions.subscribe(clientId, epoch, [{ filter: 'a/#', options: Buffer.of(1) }]);
  return epoch;
}

export async function push(store: Store, clientId: string, ...texts: string[]): Promise<number[]> {
  const queue = store.queues.ref(clientId);
  return committed(store, (batch) => {
    const slots = texts.map((text) => store.queues.push(batch, queue, Buffer.of(1), Buffer.from(text)));
    return () => slots.map((slot) => store.queues.seq(batch, queue, slot));
  });
}

/** Does what there is to `tend`; gives how many messages were dropped, by client and limit. */
export async function tend(store: Store): Promise<Record<string, number>> {
  const dropped: Record<string, number> = {};
  while (store.queues.wantsTending) {
    const drops = await committed(store, (batch) => {
      const tending = store.queues.tend(batch);
      return () => (tending === null ? [] : store.queues.tended(tending));
    });
    for (const { clientId, limit, count } of drops) dropped[`${clientId} ${limit}`] = (dropped[`${clientId} ${limit}`] ?? 0) + count;
  }
  return dropped;
}

/** A session that nobody serves; up to number `sentUpTo` its client was sent its messages (-1: nobody knows). */
export async function away(store: Store, clientId: string, sentUpTo = 0): Promise<void> {
  const epoch = await serve(store, clientId);
  await store.sessions.release(clientId, epoch, sentUpTo, 3600, 'drop');
}

/** What the queue holds, as `<seq> <text>`. */
export async function queued(store: Store, clientId: string): Promise<string[]> {
  const entries = await store.queues.read(store.queues.ref(clientId), 1, 100_000);
  return entries.map(({ seq, record }) => `${seq} ${record.toString()}`);
}
