import { joinCluster, type JoinOptions } from '../../cluster/redis-cluster.ts';
import type { Cluster, ClusterHandlers, RouteChange, RouteSink } from '../../cluster/cluster.ts';
import type { Batch } from '../../src/base/batch.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { RedisLink } from '../../src/redis/connect.ts';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import type { RedisServer } from '../support/redis.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';

export const leaseMs = 900;
export const renewMs = 300;

/** A clock that a test moves forward, as a freeze of the whole process would. */
export class JumpingClock extends SystemClock {
  #jumpedMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.#jumpedMs;
  }

  jump(ms: number): void {
    this.#jumpedMs += ms;
  }
}

/** The routes as a node sees them. */
export class Table implements RouteSink {
  readonly routes = new Map<string, string>();
  resets = 0;

  reset(): void {
    this.resets++;
    this.routes.clear();
  }

  change({ filter, target, options }: Omit<RouteChange, 'version'>): void {
    const name = `${filter} ${target}`;
    if (options === null) this.routes.delete(name);
    else this.routes.set(name, options.toString());
  }

  get all(): string[] {
    return [...this.routes].map(([name, options]) => `${name} ${options}`).sort();
  }
}

/** One node's part in the cluster, in this process, with a network of its own to Redis. */
export class Joined {
  readonly proxy: TcpProxy;
  readonly link: RedisLink;
  readonly cluster: Cluster;
  readonly clock: JumpingClock;
  readonly metrics: Metrics;
  readonly table = new Table();
  /** what the cluster asked of the node, in order */
  readonly events: string[] = [];
  readonly frames: Buffer[] = [];
  readonly handlers: ClusterHandlers;

  constructor(proxy: TcpProxy, link: RedisLink, options: Partial<JoinOptions>) {
    this.proxy = proxy;
    this.link = link;
    this.clock = new JumpingClock();
    this.metrics = new Metrics();
    const { clock, metrics } = this;
    this.cluster = joinCluster(link, { node: 'n', leaseMs, renewMs, facts: {}, clock, log: silentLog, metrics, ...options });
    this.handlers = {
      letGo: async (clientId, epoch) => {
        this.events.push(`let go ${clientId} ${epoch}`);
        await Promise.resolve();
      },
      receive: (frames) => {
        this.frames.push(...frames);
        return undefined;
      },
      fenced: () => this.events.push('fenced'),
      reborn: async (incarnation) => {
        this.events.push(`reborn ${incarnation}`);
        await Promise.resolve();
      },
      buryClient: async (dead, clientId) => {
        this.events.push(`bury ${dead} ${clientId}`);
        await Promise.resolve();
      },
      buryRoutes: async (dead) => {
        this.events.push(`bury routes ${dead}`);
        await Promise.resolve();
      },
      control: (word, body) => this.events.push(`${word} ${JSON.stringify(body)}`),
    };
  }

  get incarnation(): string {
    return this.cluster.incarnation;
  }

  /** The incarnations that this node sees alive. */
  get sees(): string[] {
    return this.cluster.members().filter((m) => m.isAlive).map((m) => m.incarnation).sort();
  }

  async metric(name: string): Promise<number> {
    const line = (await this.metrics.page()).split('\n').find((l) => l.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
  }

  /** It ends without a word to anybody. */
  async kill(): Promise<void> {
    this.proxy.down();
    await this.link.close();
    await this.cluster.leave();
  }

  /** Commits what `append` adds; gives what `read` finds afterwards. */
  commit<T>(append: (batch: Batch) => number, read: (batch: Batch, slot: number) => T): Promise<T> {
    const batch = this.link.begin();
    const slot = append(batch);
    this.cluster.inbox.seal(batch);
    return new Promise((resolve, reject) => {
      batch.commit((error) => {
        if (error === null) resolve(read(batch, slot));
        else reject(error);
      });
    });
  }

  /** From now on no connection that blocks can be made: the node learns of routes by its commits alone. */
  deafen(): void {
    const make = this.link.blocking.bind(this.link);
    this.link.blocking = (key) => {
      const redis = make(key);
      redis.disconnect();
      return redis;
    };
  }

  /** Sends frames to another node in one commit. */
  send(to: string, ...frames: string[]): Promise<void> {
    return this.commit(
      (batch) => {
        for (const frame of frames) this.cluster.inbox.send(batch, to, Buffer.from(frame.slice(0, 1)), Buffer.from(frame.slice(1)));
        return 0;
      },
      () => undefined,
    );
  }

  /** Commits nothing but a look at the route log. */
  follow(): Promise<boolean> {
    return this.commit(
      (batch) => this.cluster.routes.read(batch),
      (batch, slot) => this.cluster.routes.follow(batch, slot),
    );
  }
}

/** Joins a node that has not started yet: handlers can still be replaced. */
export async function prepare(server: RedisServer, node: string, options: Partial<JoinOptions> = {}): Promise<Joined> {
  const proxy = await startProxy(server.port);
  const link = await RedisLink.open({
    url: `redis://127.0.0.1:${proxy.port}`,
    prefix: 'sq:',
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 600,
  });
  atEnd(`link of ${node}`, () => link.close());
  const joined = new Joined(proxy, link, { node, ...options });
  atEnd(`node ${node}`, () => joined.cluster.leave());
  return joined;
}

export async function join(server: RedisServer, node: string, handlers: Partial<ClusterHandlers> = {}): Promise<Joined> {
  const joined = await prepare(server, node);
  Object.assign(joined.handlers, handlers);
  await joined.cluster.start(joined.handlers);
  return joined;
}

/** Waits until every node sees exactly these nodes alive. */
export async function settled(...nodes: Joined[]): Promise<void> {
  const all = nodes.map((n) => n.incarnation).sort().join(' ');
  await eventually(() => nodes.every((n) => n.sees.join(' ') === all), { what: `sight of ${all} on all nodes` });
}
