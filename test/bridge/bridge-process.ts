/** A bridge in a process of its own, without a broker around it: so that one can be killed and frozen, and another goes on. */
import { SystemClock } from '../../src/base/clock.ts';
import { openLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { openBridge } from '../../src/bridge/bridge.ts';
import { RedisLink } from '../../src/redis/connect.ts';
import { openRedisStore } from '../../src/store/redis/store.ts';
import { openToAll } from '../support/kafka.ts';

const [node = '', redis = '', kafka = '', topic = ''] = process.argv.slice(2);
const log = openLog('info', { node });
const link = await RedisLink.open({ url: redis, prefix: 'sq:', connectTimeoutMs: 5_000, commandTimeoutMs: 2_000, log });
const bridge = openBridge({
  rules: [{ name: 'telemetry', filter: 'vehicles/+/telemetry', topic, key: '${clientid}' }],
  store: openRedisStore(link, {
    queue: { maxMessages: 1_000, maxBytes: 1_000_000, dropsNewest: false, window: 100 },
    outboxMaxEntries: Number.MAX_SAFE_INTEGER,
    retained: { maxMessages: 10_000, maxBytes: 10_000_000 },
  }),
  node,
  kafka: { brokers: [kafka], clientId: node, allowAutoTopicCreation: true, compression: 'none', requestTimeoutMs: 3_000, ...openToAll },
  maxRecords: 1_000_000,
  whenFull: 'block',
  batch: { maxRecords: 100, maxBytes: 900_000, lingerMs: 5 },
  deadLetterTopic: 'dead',
  leaseMs: 1_500,
  clock: new SystemClock(),
  metrics: new Metrics(),
  log,
});
process.once('SIGTERM', () => {
  void bridge.stop(2_000).then(() => link.close());
});
bridge.start();
log.info('ready');
