import type { Command } from 'commander';
import { openLog, type Logger } from '../base/log.ts';
import { changes } from '../config/reload.ts';
import type { Config } from '../config/schema.ts';
import { addConfigFlags, loadFromFlags } from './config-flags.ts';
import { serve } from './serve.ts';
import { stopOnSignal } from './signals.ts';

const help = `
The log is JSON on standard output. When clients can connect it has a line with msg "ready", "addresses" and "admin".

Signals:
  SIGTERM  drain (send clients to other nodes in paced waves), then stop
  SIGINT   stop without draining
  SIGHUP   read the configuration again; takes over what can change while running, and says what needs a restart`;

export function declareStart(program: Command): void {
  const command = program.command('start').description('run one node').addHelpText('after', help);
  addConfigFlags(command).action(async () => {
    const { config } = loadFromFlags(command);
    const log = openLog(config.log.level, { node: config.node.id });
    reloadOnSignal(command, config, log);
    process.exit(await serve(config, log, stopOnSignal(log)));
  });
}

/** SIGHUP: the log level is taken over; whatever else has changed is named. */
function reloadOnSignal(command: Command, started: Config, log: Logger): void {
  process.on('SIGHUP', () => {
    try {
      const { config } = loadFromFlags(command);
      const changed = changes({ ...started, log: { level: log.level as Config['log']['level'] } }, config);
      log.level = config.log.level;
      log.info({
        changed: changed.filter(({ isReloadable }) => isReloadable).map(({ path }) => path),
        needRestart: changed.filter(({ isReloadable }) => !isReloadable).map(({ path }) => path),
      }, 'configuration read again');
    } catch (error) {
      log.error({ err: error }, 'configuration not taken over');
    }
  });
}
