import { openAdmin, type Admin } from './admin/server.ts';
import { Health } from './admin/health.ts';
import { SystemClock } from './base/clock.ts';
import { watchEventLoop, type Logger } from './base/log.ts';
import { Metrics } from './base/metrics.ts';
import { release } from './base/release.ts';
import { openBridge, type Bridge } from './bridge/bridge.ts';
import { openAccess } from './auth/access.ts';
import type { Config } from './config/schema.ts';
import { accessHooks } from './engine/access-hooks.ts';
import { Engine } from './engine/engine.ts';
import { noHooks } from './engine/hooks.ts';
import { recheckSubscriptions } from './engine/recheck.ts';
import { openState } from './engine/open-state.ts';
import { openListeners, type Listeners } from './listener/listeners.ts';

/** One node that takes clients. */
export interface RunningServer {
  /** where clients connect, with the ports that were really taken */
  readonly addresses: string[];
  /** where health and metrics are, null when nowhere */
  readonly adminAddress: string | null;
  /** Sends the clients to other nodes in paced waves; resolves when they are gone, at the latest after `drain.waitMs`. */
  drain(): Promise<void>;
  /** Ends the node in order: nothing is left for others to tidy up. */
  stop(): Promise<void>;
  /** Resolves when the node has ended. */
  readonly closed: Promise<void>;
}

/** Older event-loop lag than this says that the process is busy with something it should not be. */
const worstLagMs = 5_000;

/**
 * Builds one node, from the ground up, in the order in which this function reads; `stop` is the reverse.
 *
 * Rejects with `store-unavailable` when Redis cannot be reached, with `config-invalid` when an address cannot be listened on or a
 * file cannot be read; what was opened before is closed again.
 */
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  const opened: (() => Promise<void> | void)[] = [];
  try {
    return await build(config, log, opened);
  } catch (error) {
    for (const close of opened.reverse()) await close();
    throw error;
  }
}

async function build(config: Config, log: Logger, opened: (() => Promise<void> | void)[]): Promise<RunningServer> {
  const metrics = new Metrics({ node: config.node.id });
  metrics.watchRuntime();
  const clock = new SystemClock();
  const access = await openAccess(config, { clock, log, metrics });
  if (access !== null) opened.push(() => { access.close(); });
  const facts = { release, listeners: config.listeners.map(({ url }) => url).join(' ') };
  const { store, cluster, close } = await openState(config, { clock, log, metrics }, facts);
  opened.push(close);
  const hooks = access === null ? noHooks : accessHooks(access);
  const engine = new Engine({ config, store, cluster, clock, log, metrics, hooks });
  await engine.start();
  access?.list?.watch(() => void recheckSubscriptions(engine));
  opened.push(() => engine.stop());
  const bridge = startBridge(config, engine, metrics, clock, log);
  if (bridge !== null) opened.push(() => bridge.stop());

  let state: 'starting' | 'serving' | 'draining' = 'starting';
  const health = new Health();
  const loop = watchEventLoop();
  opened.push(() => loop.stop());
  addConcerns(health, engine, () => state);
  const admin = config.admin.listen === null ? null : await openAdmin({ ...config.admin.listen, log, metrics, health });
  if (admin !== null) opened.push(() => admin.close());
  const listeners = await openListeners(config, engine);
  opened.push(() => {
    listeners.close();
  });
  metrics.gauge('swarmq_event_loop_lag_ms', 'Event-loop lag in ms, 99th percentile since the last look', () => loop.p99Ms());
  state = 'serving';
  return running(config, engine, bridge, admin, listeners, opened, () => (state = 'draining'));
}

function startBridge(config: Config, engine: Engine, metrics: Metrics, clock: SystemClock, log: Logger): Bridge | null {
  if (config.bridge.rules.length === 0) return null;
  const { outbox, batch, deadLetterTopic } = config.bridge;
  const bridge = openBridge({
    rules: config.bridge.rules,
    store: engine.store,
    node: engine.cluster.incarnation,
    kafka: config.kafka,
    ...outbox,
    batch,
    deadLetterTopic,
    leaseMs: config.cluster.leaseMs,
    clock,
    metrics,
    log,
    onLength: (ref, length) => {
      engine.noteOutbox(ref, length);
    },
  });
  for (const rule of bridge.rules) engine.routes.addBridge(rule.filter, rule.name, rule.outbox);
  bridge.start();
  return bridge;
}

function addConcerns(health: Health, engine: Engine, state: () => 'starting' | 'serving' | 'draining'): void {
  const away = (): { ok: boolean; reason?: string } => {
    const { awayMs, refusal } = engine.store;
    if (awayMs > 0) return { ok: false, reason: `Redis has been away for ${Math.ceil(awayMs)} ms: acknowledgements wait` };
    return refusal === null ? { ok: true } : { ok: false, reason: `Redis refuses what it is told, so acknowledgements wait: ${refusal}` };
  };
  health.add('started', 'start', () => (state() === 'starting' ? { ok: false, reason: 'the node is starting' } : { ok: true }));
  health.add('ready', 'start', () => (state() === 'starting' ? { ok: false, reason: 'the node is starting' } : { ok: true }));
  health.add('ready', 'drain', () => (state() === 'draining' ? { ok: false, reason: 'the node is leaving' } : { ok: true }));
  health.add('ready', 'redis', away);
  health.add('ready', 'lease', () => (engine.cluster.isCertain ? { ok: true } : { ok: false, reason: 'the lease is not renewed: nothing is committed' }));
  health.add('live', 'event-loop', () => {
    const lag = engine.ticksLateMs;
    return lag < worstLagMs ? { ok: true } : { ok: false, reason: `the event loop is ${Math.round(lag)} ms late` };
  });
}

function running(
  config: Config,
  engine: Engine,
  bridge: Bridge | null,
  admin: Admin | null,
  listeners: Listeners,
  opened: (() => Promise<void> | void)[],
  noteDraining: () => void,
): RunningServer {
  let end!: () => void;
  const closed = new Promise<void>((resolve) => (end = resolve));
  let stopping: Promise<void> | null = null;
  const drain = async (): Promise<void> => {
    noteDraining();
    await new Promise((resolve) => setTimeout(resolve, config.drain.graceMs));
    listeners.close();
    await Promise.all([bridge?.stop(), engine.drain(config.drain.perSecond, config.drain.waitMs)]);
  };
  const stop = async (): Promise<void> => {
    noteDraining();
    for (const close of opened.reverse()) await close();
    end();
  };
  return {
    addresses: [...listeners.addresses],
    adminAddress: config.admin.listen === null || admin === null ? null : admin.address,
    drain,
    stop: () => (stopping ??= stop()),
    closed,
  };
}
