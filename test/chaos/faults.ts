import { setTimeout as wait } from 'node:timers/promises';
import type { Fault } from './schedule.ts';
import type { Stage } from './stage.ts';

const slowWayMs = 100;
const slowRedisMs = 100;

/** Does it, waits as long as it lasts, and undoes it. */
export async function carryOut(stage: Stage, fault: Fault): Promise<void> {
  const undo = await begin(stage, fault);
  await wait(fault.forMs);
  await undo();
}

async function begin(stage: Stage, { kind, nodes }: Fault): Promise<() => Promise<void>> {
  const { redis } = stage;
  const all = async (work: (index: number) => Promise<void>): Promise<void> => void (await Promise.all(nodes.map(work)));
  const startAll = (): Promise<void> => all((index) => stage.start(index));
  const toRedis = nodes.map((index) => stage.places[index]!.toRedis);
  const toClients = nodes.map((index) => stage.places[index]!.toClients);
  switch (kind) {
    case 'kill a node':
    case 'kill two nodes':
    case 'kill all nodes':
      await all((index) => stage.kill(index));
      return startAll;
    case 'drain a node':
      await all((index) => stage.drain(index));
      return startAll;
    case 'freeze a node': {
      const frozen = nodes.map((index) => stage.places[index]!.node);
      for (const node of frozen) node?.freeze();
      return done(() => {
        for (const node of frozen) node?.thaw();
      });
    }
    case 'cut a node from Redis':
    case 'shut a node off from clients': {
      const ways = kind === 'cut a node from Redis' ? toRedis : toClients;
      for (const way of ways) way.down();
      return done(() => {
        for (const way of ways) way.up();
      });
    }
    case 'slow a node\'s way to Redis':
    case 'slow a node\'s way to clients':
    case 'slow Redis': {
      const ways = kind === 'slow a node\'s way to clients' ? toClients : toRedis;
      for (const way of ways) way.slow(kind === 'slow Redis' ? slowRedisMs : slowWayMs);
      return done(() => {
        for (const way of ways) way.slow(0);
      });
    }
    case 'freeze a node\'s way to Redis':
    case 'freeze a node\'s way to clients': {
      const ways = kind === 'freeze a node\'s way to Redis' ? toRedis : toClients;
      for (const way of ways) way.freeze();
      return done(() => {
        for (const way of ways) way.thaw();
      });
    }
    case 'half-open a node\'s way to Redis':
    case 'half-open the clients of a node':
      for (const way of kind === 'half-open a node\'s way to Redis' ? toRedis : toClients) way.halfOpen();
      return done(() => undefined);
    case 'cut the clients of a node':
      for (const way of toClients) way.cut();
      return done(() => undefined);
    case 'kill Redis':
      await redis.kill();
      return () => redis.restart();
    case 'pause Redis':
      redis.pause();
      return done(() => {
        redis.resume();
      });
    case 'fill Redis':
      return setting(stage, 'maxmemory', '1mb', '0');
    case 'make Redis refuse writes':
      return setting(stage, 'min-replicas-to-write', '1', '0');
  }
}

function done(undo: () => void): () => Promise<void> {
  return () => {
    undo();
    return Promise.resolve();
  };
}

/** Changes a setting of Redis for a while. */
async function setting({ redis }: Stage, name: string, value: string, usual: string): Promise<() => Promise<void>> {
  const client = redis.client();
  await client.config('SET', name, value);
  return async () => {
    await client.config('SET', name, usual);
    client.disconnect();
  };
}
