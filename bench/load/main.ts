/** The load generator's process: does what it is told over its IPC channel, ends when the channel closes. */
import { Backlog } from './backlog.ts';
import { Connections } from './connections.ts';
import type { FromLoad, Load, LoadPlan, Target, ToLoad } from './plan.ts';
import { RetainedStream } from './retained-stream.ts';
import { Retained } from './retained.ts';
import { Traffic } from './traffic.ts';

let load: Load | undefined;

function loadFor(plan: LoadPlan, target: Target): Load {
  if (plan.kind === 'traffic') return new Traffic(plan, target);
  if (plan.kind === 'backlog') return new Backlog(plan, target);
  if (plan.kind === 'retained') return new Retained(plan, target);
  if (plan.kind === 'retained-stream') return new RetainedStream(plan, target);
  return new Connections(plan, target);
}

async function handle(order: ToLoad): Promise<FromLoad> {
  if (order.do === 'prepare') {
    load = loadFor(order.plan, order.target);
    await load.prepare();
    return { did: 'prepare' };
  }
  if (load === undefined) throw new Error('measure comes after prepare');
  return { did: 'measure', result: await load.measure() };
}

function tell(message: FromLoad): void {
  process.send?.(message);
}

process.on('message', (order: ToLoad) => {
  handle(order).then(tell, (error: unknown) => tell({ failed: error instanceof Error ? error.message : String(error) }));
});
process.on('disconnect', () => process.exit(0));
tell({ did: 'start' });
