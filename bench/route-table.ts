import { once } from 'node:events';
import { connect } from 'node:net';
import { silentLog } from '../src/base/log.ts';
import { sessionRoute, Routes } from '../src/engine/routes.ts';
import { encodeOptions } from '../src/engine/subscription.ts';
import { Keys } from '../src/redis/keys.ts';
import { collectGarbage } from './collect.ts';
import { readServers } from './meter.ts';
import type { Round, RoundOptions } from './round.ts';
import type { Servers } from './servers/peer.ts';
import { host } from './servers/process.ts';
import { startRedis, type RedisServer } from './servers/redis.ts';
import { startNode } from './servers/swarmq.ts';

const keyPrefix = 'sq:';
const routesAtOnce = 5000;
const topicsMatched = 200_000;
const options = encodeOptions({ qos: 1, noLocal: false, retainAsPublished: false, ids: Buffer.alloc(0) });
const kinds = ['alarm', 'position', 'status', 'telemetry'];

/** A fleet's subscriptions: 80 % to one topic of a device, 10 % to all of a device, 10 % with a level left open. */
function filterOf(index: number): string {
  const device = index.toString().padStart(8, '0');
  if (index % 10 < 8) return `fleet/${device}/commands`;
  return index % 10 === 8 ? `fleet/${device}/#` : `fleet/+/${kinds[Math.floor(index / 10) % kinds.length]}/${device}`;
}

/** A topic that exactly the filter of that index matches. */
function topicOf(index: number): string {
  return filterOf(index).replace('+', 'north').replace('#', 'shadow/update');
}

/**
 * Starts a node on a Redis without routes, and again on one that holds `count` of them: what it takes to learn them, and what
 * more the node holds then. The search for a topic is measured in this process, on the same table.
 */
export async function measureRoutes(count: number, { appendOnly, nodeArgs = [] }: RoundOptions): Promise<Round> {
  const redis = await startRedis(appendOnly);
  try {
    const empty = await whileRunning(redis, nodeArgs, async (servers) => {
      await Promise.all(servers.processes.map(collectGarbage));
      return (await readServers(servers)).brokerBytes;
    });
    await fill(redis.port, count);
    const before = await readServers({ ports: [], brokers: [], processes: [], redis, stop: () => Promise.resolve() });
    const startedAtMs = performance.now();
    return await whileRunning(redis, nodeArgs, async (servers) => {
      const seconds = (performance.now() - startedAtMs) / 1000;
      await Promise.all(servers.processes.map(collectGarbage));
      const after = await readServers(servers);
      const brokerMicros = (after.brokerCpuSeconds * 1e6) / count;
      const redisMicros = ((after.redisCpuSeconds - before.redisCpuSeconds) * 1e6) / count;
      const figures = {
        perSecond: count / seconds,
        cpuMicros: brokerMicros + redisMicros,
        brokerMicros,
        redisMicros,
        p50Ms: null,
        p99Ms: null,
        p999Ms: null,
        brokerMiB: after.brokerBytes / 1024 / 1024,
        brokerGrowthMiB: (after.brokerPeakBytes - empty) / 1024 / 1024,
        brokerKiBEach: (after.brokerBytes - empty) / 1024 / count,
        redisMiB: after.redisBytes / 1024 / 1024,
        redisSlowestMs: null,
        storedKiBEach: null,
        redisCommandsEach: 0,
        loadMicros: 0,
        loadShare: 0,
        matchMicros: matchMicros(count),
      };
      return { figures, redisCommands: {}, pacerP99Ms: null, fault: null };
    });
  } finally {
    await redis.process.stop();
  }
}

async function whileRunning<T>(redis: RedisServer, nodeArgs: readonly string[], work: (servers: Servers) => Promise<T>): Promise<T> {
  const { broker, port } = await startNode(nodeArgs, 0, redis.port);
  try {
    return await work({ ports: [port], brokers: [broker], processes: [broker], redis, stop: () => broker.stop() });
  } finally {
    await broker.stop();
  }
}

/** What comes before the options in the table: the epoch of whoever said them. */
const version = '\0\0\0\0\0\0\0\x01';

/** Writes the table of routes as if the sessions had subscribed long ago: the log does not go back so far. */
async function fill(port: number, count: number): Promise<void> {
  const socket = connect({ host, port, noDelay: true });
  socket.on('data', () => undefined);
  await once(socket, 'connect');
  const key = new Keys(keyPrefix).routes();
  for (let from = 0; from < count; from += routesAtOnce) {
    const parts = ['HSET', key];
    for (let index = from; index < Math.min(from + routesAtOnce, count); index++) {
      parts.push(`${filterOf(index)}\0${sessionOf(index).target}`, `${version}${options.toString('latin1')}`);
    }
    const text = parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('');
    if (!socket.write(`*${parts.length}\r\n${text}`, 'latin1')) await once(socket, 'drain');
  }
  socket.end('QUIT\r\n');
  await once(socket, 'close');
}

function sessionOf(index: number): ReturnType<typeof sessionRoute> {
  return sessionRoute(filterOf(index), `device-${index.toString().padStart(8, '0')}`, 1, options);
}

/** A text as a node has it: read from bytes, and not put together from pieces. */
function decoded(text: string): string {
  return Buffer.from(text).toString();
}

/** For topics that were not asked for before, so that nothing remembers them. */
function matchMicros(count: number): number {
  const routes = new Routes(() => 'bench', (clientId) => ({ clientId, isFull: false }), silentLog);
  for (let index = 0; index < count; index++) {
    const { filter, target } = sessionOf(index);
    routes.change({ filter: decoded(filter), target: decoded(target), options });
  }
  // a large step, so that neighbours in memory are not asked for one after the other
  const topics = Array.from({ length: topicsMatched }, (_, i) => decoded(topicOf((i * 7919) % count)));
  const startedAtMs = performance.now();
  let found = 0;
  for (const topic of topics) found += routes.match(topic).queues.length;
  const micros = ((performance.now() - startedAtMs) * 1000) / topicsMatched;
  if (found !== topicsMatched) throw new Error(`${topicsMatched} topics found ${found} subscribers`);
  return micros;
}
