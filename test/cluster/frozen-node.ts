/** A cluster node as a process of its own, to be frozen and killed: tells on standard output what happens to it. */
import { joinCluster } from '../../cluster/redis-cluster.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { RedisLink } from '../../src/redis/connect.ts';

const [url = '', leaseMs = '', renewMs = ''] = process.argv.slice(2);
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const link = await RedisLink.open({ url, prefix: 'sq:', connectTimeoutMs: 2_000, commandTimeoutMs: 600 });
const cluster = joinCluster(link, {
  node: 'frozen',
  leaseMs: Number(leaseMs),
  renewMs: Number(renewMs),
  facts: {},
  clock: new SystemClock(),
  log: silentLog,
  metrics: new Metrics(),
});
await cluster.start({
  letGo: () => Promise.resolve(),
  receive: () => undefined,
  fenced: () => {
    say('fenced');
  },
  reborn: (incarnation) => {
    say(`reborn ${incarnation}`);
    return Promise.resolve();
  },
  buryClient: () => Promise.resolve(),
  buryRoutes: () => Promise.resolve(),
  control: () => undefined,
});
await cluster.serve('one');
say(`joined ${cluster.incarnation}`);

// What a turn of the broker sees: whether it may commit.
let wasCertain = true;
setInterval(() => {
  if (cluster.isCertain === wasCertain) return;
  wasCertain = !wasCertain;
  say(wasCertain ? 'certain' : 'uncertain');
  if (!wasCertain) void cluster.whenCertain().then(() => { say('may commit'); });
}, 1);
