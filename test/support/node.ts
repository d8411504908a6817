import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFresh } from '../../scripts/build.mjs';
import { atEnd } from './ends.ts';
import { temporaryFolder } from './folder.ts';
import { TestProcess, type Exit } from './process.ts';
import { startRedis, type RedisServer } from './redis.ts';

export interface NodeOptions {
  /** Node id; without it each node gets a new one. */
  readonly id?: string;
  /** Redis URL; without it the node runs on its store in memory. */
  readonly redis?: string;
  /** Listeners; one MQTT listener on a port of the node's choice without it. */
  readonly listen?: string | readonly string[];
  /** Kafka brokers, `host:port,host:port`. */
  readonly kafka?: string;
  /** Arguments for Node.js itself. */
  readonly execArgv?: readonly string[];
  /** What its configuration file holds. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Single options by their path, which win over the file. */
  readonly set?: Readonly<Record<string, string | number | boolean>>;
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
let started = 0;

/**
 * How a node is started: from dist when that holds the present sources, because it starts faster, else straight from
 * the sources. SWARMQ_TEST_DIST=1 insists on dist, SWARMQ_TEST_DIST=0 on the sources.
 */
function launcher(): string[] {
  const built = join(root, 'dist/src/cli/main.js');
  const wish = process.env['SWARMQ_TEST_DIST'];
  if (wish === '1' && !existsSync(built)) throw new Error('dist is missing: run `npm run build` first');
  const fromDist = wish === undefined ? existsSync(built) && isFresh() : wish === '1';
  return fromDist ? [built] : ['--import', 'tsx', join(root, 'src/cli/main.ts')];
}

function parseLog(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}

/** A real broker process on loopback. */
export class TestNode {
  readonly id: string;
  /** The addresses it listens on, as it told: the first one is `url`. */
  addresses: readonly string[] = [];
  /** Address of its admin server, without a path. */
  adminUrl = '';
  readonly #process: TestProcess;
  readonly #folder = temporaryFolder('node');
  readonly #forget: () => void;

  constructor(options: NodeOptions) {
    this.id = options.id ?? `n${++started}`;
    const listen = options.listen === undefined ? ['mqtt://127.0.0.1:0'] : [options.listen].flat();
    const args = ['start', '--node-id', this.id, '--admin', '127.0.0.1:0'];
    for (const address of listen) args.push('--listen', address);
    if (options.redis !== undefined) args.push('--redis', options.redis);
    if (options.kafka !== undefined) args.push('--kafka', options.kafka);
    // no load balancer is here to be waited for
    const set = { 'drain.graceMs': 0, ...options.set };
    for (const [path, value] of Object.entries(set)) args.push('--set', `${path}=${value}`);
    if (options.config !== undefined) {
      const file = join(this.#folder.path, 'swarmq.yaml');
      // JSON is YAML
      writeFileSync(file, JSON.stringify(options.config, null, 2));
      args.push('--config', file);
    }
    this.#process = new TestProcess(process.execPath, [...(options.execArgv ?? []), ...launcher(), ...args], { name: `node ${this.id}`, cwd: root, unowned: true });
    this.#forget = atEnd(`node ${this.id} (pid ${this.pid})`, async () => {
      await this.kill();
      this.#folder.remove();
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Itself: where several nodes may stand, one is a cluster too. */
  get nodes(): readonly TestNode[] {
    return [this];
  }

  /** Its first address, for clients. */
  get url(): string {
    return this.addresses[0] ?? '';
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Settles once the process has ended, however it did. */
  get exited(): Promise<Exit> {
    return this.#process.exited;
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  /** Resolves once it has said that it is ready for clients. */
  async ready(): Promise<void> {
    const line = await this.#process.line((text) => {
      const log = parseLog(text);
      return log?.msg === 'ready' ? log : undefined;
    }, 'the log line "ready"');
    this.addresses = line['addresses'] as string[];
    const admin = line['admin'] as string | null;
    if (admin !== null) this.adminUrl = admin.includes('://') ? admin : `http://${admin}`;
  }

  /** Its log so far. */
  logs(): LogLine[] {
    return this.#process.lines.flatMap((line) => parseLog(line) ?? []);
  }

  /** All it printed, log lines and others. */
  get output(): string {
    return this.#process.output;
  }

  /** The first log line with this message, past or to come. */
  logged(message: string, withinMs?: number): Promise<LogLine> {
    return this.#process.line(
      (text) => {
        const log = parseLog(text);
        return log?.msg === message ? log : undefined;
      },
      `the log line "${message}"`,
      withinMs,
    );
  }

  /** Ends it at once, as a crash would. With SIGKILL nothing of it runs any more once this resolves. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process.kill(signal);
  }

  /** The process hangs; its sockets stay open. */
  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  /** Lets it drain (SIGTERM) and waits for its end. */
  async stop(): Promise<Exit> {
    this.#forget();
    try {
      return await this.#process.stop(30_000);
    } finally {
      this.#folder.remove();
    }
  }
}

/** Starts one broker process and waits until it is ready for clients. */
export async function startNode(options: NodeOptions = {}): Promise<TestNode> {
  const node = new TestNode(options);
  await node.ready();
  return node;
}

/** Nodes that share one Redis. */
export class TestCluster {
  readonly nodes: readonly TestNode[];
  /** The Redis that was started for them; null when they were given one. */
  readonly redis: RedisServer | null;
  readonly #options: NodeOptions;

  constructor(nodes: readonly TestNode[], redis: RedisServer | null, options: NodeOptions) {
    this.nodes = nodes;
    this.redis = redis;
    this.#options = options;
  }

  node(index: number): TestNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`this cluster has ${this.nodes.length} nodes, none at ${index}`);
    return node;
  }

  /** One more node on the same Redis, with the same options. The caller keeps it: it is not in `nodes`. */
  join(options: NodeOptions = {}): Promise<TestNode> {
    return startNode({ ...this.#options, ...options });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.redis?.stop();
  }
}

/** Starts `count` nodes at once on one Redis, which is started too when `options` names none. */
export async function startCluster(count: number, options: NodeOptions = {}): Promise<TestCluster> {
  const redis = options.redis === undefined ? await startRedis() : null;
  const shared = redis === null ? options : { ...options, redis: redis.url };
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(shared)));
  return new TestCluster(nodes, redis, shared);
}
