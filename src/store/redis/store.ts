import { silentLog, type Logger } from '../../base/log.ts';
import type { RedisLink } from '../../redis/connect.ts';
import { RedisDue } from './due.ts';
import { RedisOutboxes } from './outboxes.ts';
import { RedisQueues } from './queues.ts';
import { RedisRetained } from './retained.ts';
import { RedisSessions } from './sessions.ts';
import type { Store, StoreLimits } from '../store.ts';

/** The store in Redis, shared by all nodes that use the same Redis and prefix. */
export function openRedisStore(link: RedisLink, limits: StoreLimits, log: Logger = silentLog): Store {
  return {
    kind: 'redis',
    sessions: new RedisSessions(link),
    queues: new RedisQueues(link, limits.queue, log),
    retained: new RedisRetained(link, limits.retained),
    outboxes: new RedisOutboxes(link, limits.outboxMaxEntries),
    due: new RedisDue(link),
    begin: () => link.begin(),
    onAnew: (ask) => {
      link.onAnew((isOfBatches) => {
        if (isOfBatches) link.first(ask);
      });
    },
    get awayMs() {
      return link.awayMs;
    },
    get refusal() {
      return link.refusal;
    },
    close: () => Promise.resolve(),
  };
}
