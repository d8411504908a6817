import { TestNode, type NodeOptions } from '../support/node.ts';
import { freePort } from '../support/ports.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** One node's place: its port stays, whoever takes it. */
interface Place {
  readonly port: number;
  readonly toRedis: TcpProxy;
  readonly toClients: TcpProxy;
  node: TestNode | null;
}

const patienceMs = 60_000;

/**
 * The cluster that things are done to: nodes, each with a network of its own to Redis and to its clients; one Redis with an
 * append-only file, written through at every command.
 */
export class Stage {
  readonly redis: RedisServer;
  readonly places: readonly Place[];
  readonly #options: NodeOptions;
  /** everything that any node ever said, for the report of a failure */
  readonly former: TestNode[] = [];

  constructor(redis: RedisServer, places: readonly Place[], options: NodeOptions) {
    this.redis = redis;
    this.places = places;
    this.#options = options;
  }

  /** The nodes that run. */
  get nodes(): TestNode[] {
    return this.places.flatMap(({ node }) => node ?? []);
  }

  /** Where clients connect whose home is this place: there first, then at the others. */
  portsFrom(home: number): number[] {
    return this.places.map((_, step) => this.places[(home + step) % this.places.length]!.toClients.port);
  }

  /** Ends the node at once. */
  async kill(index: number): Promise<void> {
    const place = this.places[index]!;
    const { node } = place;
    place.node = null;
    if (node === null) return;
    this.former.push(node);
    await node.kill();
  }

  /** Lets the node drain and end; fails when it says that it could not. */
  async drain(index: number): Promise<void> {
    const place = this.places[index]!;
    const { node } = place;
    place.node = null;
    if (node === null) return;
    this.former.push(node);
    const { code, signal } = await node.stop();
    if (code !== 0) throw new Error(`node ${index} did not end in order on SIGTERM: ${signal ?? `exit code ${code}`}`);
  }

  /** Starts a node where there is none, again and again as a supervisor would: it ends when it does not reach Redis. */
  async start(index: number): Promise<void> {
    const place = this.places[index]!;
    const until = performance.now() + patienceMs;
    while (place.node === null) {
      const node = new TestNode({
        ...this.#options,
        id: `chaos-${index}`,
        listen: `mqtt://127.0.0.1:${place.port}`,
        redis: `redis://127.0.0.1:${place.toRedis.port}`,
      });
      try {
        await node.ready();
        place.node = node;
      } catch (error) {
        await node.kill();
        this.former.push(node);
        if (performance.now() > until) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.places.map((_, index) => this.drain(index)));
    await Promise.all(this.places.flatMap(({ toRedis, toClients }) => [toRedis.stop(), toClients.stop()]));
    await this.redis.stop();
  }
}

/** Builds the stage and starts its nodes, all with these options. */
export async function buildStage(nodeCount: number, options: NodeOptions): Promise<Stage> {
  const redis = await startRedis({ appendonly: true });
  const places = await Promise.all(
    Array.from({ length: nodeCount }, async (): Promise<Place> => {
      const port = await freePort();
      return { port, toRedis: await startProxy(redis.port), toClients: await startProxy(port), node: null };
    }),
  );
  const stage = new Stage(redis, places, options);
  await Promise.all(places.map((_, index) => stage.start(index)));
  return stage;
}
