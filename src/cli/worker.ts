import type { Command } from 'commander';
import { openLog } from '../base/log.ts';
import type { Config } from '../config/schema.ts';
import { exitCodes } from './exit-codes.ts';
import { serve } from './serve.ts';
import type { StopRequest } from './signals.ts';

/** What a cluster process tells a worker: first what to run, once, and later how to stop. */
export type WorkerOrder = { readonly start: Config } | { readonly stop: StopRequest };

/** What a worker tells back: that it listens for orders (earlier ones would be lost), and that clients can connect. */
export type WorkerReport = { readonly state: 'waiting' } | { readonly state: 'ready'; readonly admin: string | null };

/** The command that `swarmq cluster` starts for each node. Its configuration comes over the channel, not from flags. */
export function declareWorker(program: Command): void {
  const command = program.command('worker', { hidden: true }).description('one node of `swarmq cluster`, started by it');
  command.action(async () => {
    if (process.send === undefined) command.error('error: a worker is started by: swarmq cluster');
    // a terminal sends SIGINT to every process of the group: the cluster process decides
    process.on('SIGINT', () => undefined);
    const { started, stop } = receiveOrders();
    report({ state: 'waiting' });
    const config = await Promise.race([started, stop.then(() => null)]);
    if (config === null) process.exit(exitCodes.fine);
    const log = openLog(config.log.level, { node: config.node.id });
    const code = await serve(config, log, stop, ({ adminAddress }) => {
      report({ state: 'ready', admin: adminAddress });
    });
    process.exit(code);
  });
}

/** A SIGTERM to one worker renews one node: it drains, and the cluster process starts it again. */
function receiveOrders(): { started: Promise<Config>; stop: Promise<StopRequest> } {
  let start: (config: Config) => void;
  let end: (request: StopRequest) => void;
  const started = new Promise<Config>((resolve) => (start = resolve));
  const stop = new Promise<StopRequest>((resolve) => (end = resolve));
  process.on('SIGTERM', () => {
    end('drain');
  });
  process.on('message', (order: WorkerOrder) => {
    if ('start' in order) start(order.start);
    else end(order.stop);
  });
  return { started, stop };
}

function report(message: WorkerReport): void {
  process.send?.(message);
}
