import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Aedes, type AedesOptions, type AedesPublishPacket, type Client as AedesClient, type Connection as AedesConnection } from 'aedes';
import { alone } from '../../cluster/alone.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { SystemClock } from '../base/clock.ts';
import { asBrokerError, BrokerError } from '../base/errors.ts';
import { silentLog, type Logger } from '../base/log.ts';
import type { Message } from '../base/message.ts';
import { Metrics } from '../base/metrics.ts';
import { isTopicFilter } from '../base/topic.ts';
import { hasAuthentication } from '../config/check.ts';
import { resolveConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Store } from '../store/store.ts';
import { AedesHooks } from './aedes-hooks.ts';
import { fromPacket, toPacket, type PacketToPublish } from './aedes-packet.ts';
import { answer, Client } from './client.ts';
import { Engine } from './engine.ts';
import { levels } from './handle-publish.ts';
import { openState, type State } from './open-state.ts';
import { noOrigin, publish } from './publish.ts';

export interface BrokerOptions extends AedesOptions {
  /** The Redis that all nodes share. Without it, and without `store`: one node alone, in memory. */
  redis?: { readonly url: string; readonly prefix?: string };
  /** A store of one's own, closed by whoever opened it; `cluster` belongs to it. */
  store?: Store;
  /** The way to the other nodes; absent: this node is alone. */
  cluster?: Cluster;
  /** All other options of a node. What stands in the options beside it has precedence. */
  config?: Config;
  log?: Logger;
  metrics?: Metrics;
  clock?: SystemClock;
}

type Deliver = (packet: AedesPublishPacket, callback: () => void) => void;
type Done = (error?: Error) => void;

/** Parts of the engine that is replaced, and what to use: better a word than a part that is there and dead. */
const replaced = {
  mq: 'broker.publish and broker.subscribe, which reach all nodes',
  persistence: 'the option store or redis',
  clients: 'the events client and clientDisconnect, and broker.connectedClients',
};

const refusing = new BrokerError('node-draining', 'this broker is closed');

/**
 * Aedes's interface with Swarmq's engine behind it: hooks, events, `handle`, `publish` and `subscribe` are as Aedes documents
 * them; `docs/embedding.md` lists what differs.
 *
 * `publish`, `subscribe` and `handle` need a broker that listens: `await broker.listen()`, or `Broker.createBroker()`.
 */
export class Broker extends Aedes {
  readonly #options: BrokerOptions;
  readonly #config: Config;
  readonly #clock: SystemClock;
  readonly #log: Logger;
  readonly #hooks: AedesHooks;
  /** what listens in this process, by its function and its topic */
  readonly #listeners = new Map<Deliver, Map<string, (message: Message) => void>>();
  #engine: Engine | null = null;
  #state: State | null = null;
  #listening: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  /** Throws `config-invalid` when options contradict each other, or ask for what Aedes's engine had and this one replaces. */
  constructor(options: BrokerOptions = {}) {
    checkOptions(options);
    const base = options.config ?? resolveConfig({}).config;
    super({ ...options, id: options.id ?? base.node.id });
    for (const [part, instead] of Object.entries(replaced)) {
      const get = (): never => {
        throw new BrokerError('config-invalid', `broker.${part} is a part of Aedes's engine, which Swarmq replaces: use ${instead}`);
      };
      Object.defineProperty(this, part, { get, configurable: true });
    }
    this.#options = options;
    this.#config = configOf(options, base, this.id);
    this.#clock = options.clock ?? new SystemClock();
    this.#log = options.log ?? silentLog;
    this.#hooks = new AedesHooks(this, this.#clock, (error) => {
      this.#complain(error);
    });
    this.handle = (stream, request) => this.#accept(stream, request);
    Object.defineProperty(this, 'connectedClients', { get: () => this.#hooks.connectedClients, enumerable: true });
  }

  static override async createBroker(options?: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options);
    await broker.listen();
    return broker;
  }

  /**
   * Opens the store and joins the cluster. Clients may be handed in afterwards.
   *
   * Rejects with `store-unavailable` when Redis cannot be reached; then it may be called again. A broker that was closed stays so.
   */
  override listen(): Promise<void> {
    this.#listening ??= this.#start().catch((error: unknown) => {
      this.#listening = null;
      throw error;
    });
    return this.#listening;
  }

  /**
   * Publishes on behalf of the program, past `authorizePublish`. `client` names the publisher, for subscribers with no-local.
   * `callback` comes when the message is committed (QoS 1 and 2) or on its way (QoS 0); it is also how to know when to
   * publish the next one. The payload must not be changed afterwards.
   */
  override publish(packet: PacketToPublish, callback?: Done): void;
  override publish(packet: PacketToPublish, client: AedesClient | null, callback?: Done): void;
  override publish(packet: PacketToPublish, clientOrCallback?: AedesClient | Done | null, callback?: Done): void {
    const [client, done] = typeof clientOrCallback === 'function' ? [null, clientOrCallback] : [clientOrCallback, callback];
    try {
      const engine = this.#running();
      const message = fromPacket(packet, client?.id ?? '', this.#clock.now());
      this.#checkLevels(message.topic);
      const tell = (error: Error | null): void => {
        process.nextTick(done!, error ?? undefined);
      };
      publish(engine, message, done === undefined ? noOrigin : { ...noOrigin, done: tell });
    } catch (error) {
      if (done === undefined) this.#complain(error);
      else process.nextTick(done, error);
    }
  }

  /**
   * Subscribes the program to a topic filter, past `authorizeSubscribe`. `callback` comes when messages published from now
   * on, on any node, will be delivered. The same filter and function twice are one subscription.
   */
  override subscribe(filter: string, deliver: Deliver, callback?: Done): void {
    answer(this.#subscribe(filter, deliver), callback);
  }

  override unsubscribe(filter: string, deliver: Deliver, callback?: Done): void {
    answer(this.#unsubscribe(filter, deliver), callback);
  }

  /** Disconnects all clients, lets go of their sessions and leaves the cluster; then `closed` is emitted. */
  override close(callback?: () => void): void {
    this.closed = true;
    if (this.#listening !== null) this.#stopping ??= this.#listening.then(() => this.#stop());
    answer(this.#stopping ?? Promise.resolve(), callback);
  }

  async #start(): Promise<void> {
    const { metrics = new Metrics({ node: this.id }), store, cluster } = this.#options;
    const tools = { clock: this.#clock, log: this.#log, metrics };
    const state =
      store === undefined
        ? await openState(this.#config, tools, {})
        : { store, cluster: cluster ?? alone(this.id), close: () => Promise.resolve() };
    const engine = new Engine({ config: this.#config, store: state.store, cluster: state.cluster, hooks: this.#hooks, ...tools });
    try {
      await engine.start();
    } catch (error) {
      await state.close();
      throw error;
    }
    this.#engine = engine;
    this.#state = state;
    this.closed = this.#stopping !== null;
  }

  async #stop(): Promise<void> {
    try {
      await this.#engine?.stop();
      await this.#state?.close();
    } catch (error) {
      this.#complain(error);
    }
    this.emit('closed');
  }

  #accept(stream: AedesConnection, request?: IncomingMessage): Client {
    if (this.#engine === null) throw new BrokerError('server-unavailable', 'the broker does not listen yet: await broker.listen() before broker.handle()');
    // a plain socket has the bytes in the kernel, or a copy, when `write` returns with nothing waiting
    const connection = this.#engine.accept(stream, stream.constructor === Socket, request);
    if (this.closed) connection.close(refusing);
    return Client.of(connection);
  }

  async #subscribe(filter: string, deliver: Deliver): Promise<void> {
    if (!isTopicFilter(filter)) throw new BrokerError('topic-filter-invalid', `${JSON.stringify(filter)} is no topic filter`);
    this.#checkLevels(filter);
    const engine = this.#running();
    const byFilter = this.#listeners.get(deliver) ?? new Map<string, (message: Message) => void>();
    this.#listeners.set(deliver, byFilter);
    if (byFilter.has(filter)) return;
    const listener = (message: Message): void => {
      try {
        deliver(toPacket(message, this.id, this.#clock.now()), () => undefined);
      } catch (error) {
        this.#complain(error);
      }
    };
    byFilter.set(filter, listener);
    await engine.listen(filter, listener);
  }

  async #unsubscribe(filter: string, deliver: Deliver): Promise<void> {
    const byFilter = this.#listeners.get(deliver);
    const listener = byFilter?.get(filter);
    if (byFilter === undefined || listener === undefined) return;
    byFilter.delete(filter);
    if (byFilter.size === 0) this.#listeners.delete(deliver);
    await this.#running().unlisten(filter, listener);
  }

  #running(): Engine {
    if (this.closed || this.#engine === null) throw new BrokerError('server-unavailable', 'the broker does not listen: await broker.listen() first');
    return this.#engine;
  }

  #checkLevels(topic: string): void {
    const { maxTopicLevels } = this.#config.mqtt;
    if (levels(topic) > maxTopicLevels) throw new BrokerError('topic-name-invalid', `the topic has more than ${maxTopicLevels} levels`);
  }

  /** What a hook or a listener threw: told to whoever listens to `error`, else as a warning of the process. */
  #complain(error: unknown): void {
    const failure = asBrokerError(error);
    const cause = failure.cause instanceof Error ? failure.cause : failure;
    this.#log.error({ error: cause.message }, 'a hook or listener failed');
    if (this.listenerCount('error') > 0) process.nextTick(() => this.emit('error', cause));
    else process.emitWarning(cause);
  }
}

function checkOptions({ mq, persistence, store, cluster, redis, config }: BrokerOptions): void {
  const faults = [
    config !== undefined && (hasAuthentication(config.auth) || config.auth.aclFile !== null) ? 'config.auth: the hooks of the program decide who may come in, and what they may do' : null,
    mq !== undefined ? 'mq: messages go through the cluster, give redis instead' : null,
    persistence !== undefined ? 'persistence: sessions are kept in the store, give redis or store instead' : null,
    store !== undefined && redis !== undefined ? 'store and redis: give one of them' : null,
    store === undefined && cluster !== undefined ? 'cluster: needs the store that belongs to it' : null,
  ].filter((fault) => fault !== null);
  if (faults.length > 0) throw new BrokerError('config-invalid', `broker options: ${faults.join('; ')}`);
}

/** The configuration with the options of Aedes that have a counterpart. */
function configOf(options: BrokerOptions, base: Config, id: string): Config {
  const { redis, connectTimeout, keepaliveLimit, maxTopicLevels } = options;
  return {
    ...base,
    node: { ...base.node, id },
    redis: { ...base.redis, ...(redis === undefined ? {} : { url: redis.url, ...(redis.prefix === undefined ? {} : { prefix: redis.prefix }) }) },
    mqtt: {
      ...base.mqtt,
      ...(connectTimeout === undefined ? {} : { connectTimeoutMs: connectTimeout }),
      ...(keepaliveLimit ? { maxKeepAliveSeconds: keepaliveLimit } : {}),
      ...(maxTopicLevels === undefined ? {} : { maxTopicLevels: Math.max(1, maxTopicLevels) }),
    },
  };
}
