import { InvalidArgumentError, type Command } from 'commander';
import { SystemClock } from '../base/clock.ts';
import { openLog } from '../base/log.ts';
import { configInvalid } from '../config/fault.ts';
import { planCluster } from './cluster-plan.ts';
import { addConfigFlags, loadFromFlags } from './config-flags.ts';
import { stopOnSignal } from './signals.ts';
import { Supervisor } from './supervisor.ts';

const help = `
The nodes share every --listen address; each also has a direct port of its own, and its own admin port (--admin, counted
up from node to node). Node i is called <node-id>i. A node that dies is started again. When all nodes are ready the log
has a line with msg "cluster ready", "endpoint" and "nodes" (id, pid, direct, admin).

Signals:
  SIGTERM  drain all nodes, then stop
  SIGINT   stop without draining
To renew one node send SIGTERM to its process: it drains, ends and is started again.`;

export function declareCluster(program: Command): void {
  const command = program
    .command('cluster')
    .description('run several nodes on this machine behind one address')
    .option('--nodes <count>', 'how many nodes', wholeNumber(1, 1_000), 3)
    .option('--direct-port-base <port>', 'first direct port; the one after the listening port by default', wholeNumber(0, 65_535))
    .addHelpText('after', help);
  addConfigFlags(command).action(async ({ nodes, directPortBase }: { nodes: number; directPortBase?: number }) => {
    const { config, originOf } = loadFromFlags(command);
    if (config.redis.url === null) throw noRedis();
    const baseId = originOf('node.id') === 'default' ? `${config.node.id}-` : config.node.id;
    const log = openLog(config.log.level, { cluster: baseId });
    const plan = await planCluster(config, baseId, nodes, directPortBase ?? null);
    const supervisor = new Supervisor(plan, new SystemClock(), log);
    void stopOnSignal(log, () => {
      supervisor.kill();
    }).then((request) => {
      supervisor.stop(request);
    });
    process.exit(await supervisor.run());
  });
}

function noRedis(): Error {
  const problem = 'is not given, but the nodes of a cluster share their state in Redis: give --redis redis://host:6379, '
    + 'or run one node alone with swarmq start';
  return configInvalid([{ path: 'redis.url', origin: 'default', value: null, problem }]);
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,6}$/.test(text) ? Number(text) : -1;
    if (number < min || number > max) throw new InvalidArgumentError(`Give a number between ${min} and ${max}.`);
    return number;
  };
}
