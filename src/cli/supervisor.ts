import cluster, { type Worker } from 'node:cluster';
import { backoffMs } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { ClusterPlan, PlannedNode } from './cluster-plan.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { StopRequest } from './signals.ts';
import type { WorkerOrder, WorkerReport } from './worker.ts';

/** A node that dies again and again is tried more and more slowly; after a minute of service it counts as well. */
const restarts = { firstMs: 500, mostMs: 30_000, wellAfterMs: 60_000 };

interface Node extends PlannedNode {
  worker: Worker | null;
  admin: string | null;
  /** When it became ready, on the monotonic clock; null before. */
  readySince: number | null;
  attempt: number;
  retry: NodeJS.Timeout | null;
}

/**
 * The workers of `swarmq cluster`, one for each planned node.
 *
 * forming   until every node is ready. A worker that ends now ends all: an address in use or an absent Redis at the
 *           start is told to whoever started us, with the worker's exit code.
 * running   a worker that ends is started again, after a growing delay.
 * stopping  every worker was told to stop and none is started; over when the last one has ended.
 */
export class Supervisor {
  readonly #plan: ClusterPlan;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #nodes: Node[];
  #state: 'forming' | 'running' | 'stopping' = 'forming';
  #code: ExitCode = exitCodes.fine;
  #stopRequest: StopRequest | null = null;
  #finish: (code: ExitCode) => void = () => undefined;

  constructor(plan: ClusterPlan, clock: Clock, log: Logger) {
    this.#plan = plan;
    this.#clock = clock;
    this.#log = log;
    this.#nodes = plan.nodes.map((node) => ({ ...node, worker: null, admin: null, readySince: null, attempt: 0, retry: null }));
  }

  /** Starts all workers. Gives the exit code when the last one has ended. */
  run(): Promise<ExitCode> {
    cluster.schedulingPolicy = cluster.SCHED_RR;
    cluster.setupPrimary({ args: ['worker'] });
    return new Promise((resolve) => {
      this.#finish = resolve;
      for (const node of this.#nodes) this.#start(node);
    });
  }

  /** Tells every worker to stop. They drain side by side: none of them is there to take over the others' clients. */
  stop(request: StopRequest): void {
    this.#state = 'stopping';
    this.#stopRequest = request;
    for (const node of this.#nodes) {
      if (node.retry !== null) clearTimeout(node.retry);
      this.#order(node, { stop: request });
    }
    this.#endWithLast();
  }

  /** Ends every worker there and then. */
  kill(): void {
    for (const { worker } of this.#nodes) worker?.process.kill('SIGKILL');
  }

  #start(node: Node): void {
    const worker = cluster.fork();
    node.worker = worker;
    node.readySince = null;
    node.retry = null;
    worker.on('message', (report: WorkerReport) => {
      if (report.state === 'ready') this.#ready(node, report.admin);
      else this.#order(node, this.#stopRequest === null ? { start: node.config } : { stop: this.#stopRequest });
    });
    worker.on('exit', (code, signal) => {
      this.#ended(node, code, signal);
    });
    worker.on('error', (error) => {
      this.#log.error({ err: error, id: node.config.node.id }, 'cannot reach a node');
    });
  }

  #order({ worker }: Node, order: WorkerOrder): void {
    if (worker?.isConnected() === true) worker.send(order);
  }

  #ready(node: Node, admin: string | null): void {
    node.readySince = this.#clock.monotonic();
    node.admin = admin;
    if (this.#state === 'running') this.#log.info(describe(node), 'node ready again');
    if (this.#state !== 'forming' || this.#nodes.some(({ readySince }) => readySince === null)) return;
    this.#state = 'running';
    this.#log.info({ endpoint: this.#plan.endpoint, nodes: this.#nodes.map(describe) }, 'cluster ready');
  }

  #ended(node: Node, code: number | null, signal: string | null): void {
    const { pid } = node.worker?.process ?? {};
    const served = node.readySince === null ? 0 : this.#clock.monotonic() - node.readySince;
    node.worker = null;
    const line = { id: node.config.node.id, pid, code, signal };
    if (this.#state === 'running') {
      node.attempt = served > restarts.wellAfterMs ? 1 : node.attempt + 1;
      const waitMs = Math.round(backoffMs(restarts, node.attempt));
      this.#log.warn({ ...line, waitMs }, 'a node ended and is started again');
      node.retry = setTimeout(() => {
        this.#start(node);
      }, waitMs);
      return;
    }
    if (code !== exitCodes.fine && this.#code === exitCodes.fine) this.#code = asExitCode(code);
    this.#log.info(line, 'node ended');
    if (this.#state === 'forming') {
      this.#log.fatal(line, 'a node could not start');
      this.stop('at-once');
    } else {
      this.#endWithLast();
    }
  }

  #endWithLast(): void {
    if (this.#nodes.every(({ worker }) => worker === null)) this.#finish(this.#code);
  }
}

function describe({ config, worker, direct, admin }: Node): object {
  return { id: config.node.id, pid: worker?.process.pid, direct: direct.url, admin };
}

/** A worker that a signal ended has no code of its own: that is a fault. */
function asExitCode(code: number | null): ExitCode {
  return Object.values(exitCodes).find((known) => known === code) ?? exitCodes.fault;
}
