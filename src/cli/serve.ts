import type { Logger } from '../base/log.ts';
import { hasAuthentication } from '../config/check.ts';
import type { Config } from '../config/schema.ts';
import type { RunningServer } from '../server.ts';
import { exitCodeOf, exitCodes, type ExitCode } from './exit-codes.ts';
import type { StopRequest } from './signals.ts';

/**
 * Runs one node until it is asked to stop, and says how it ended; every failure is in the log. `onReady` is called once
 * clients can connect, after the log line `ready` with `addresses` and `admin`.
 */
export async function serve(
  config: Config,
  log: Logger,
  stop: Promise<StopRequest>,
  onReady: (server: RunningServer) => void = () => undefined,
): Promise<ExitCode> {
  warn(config, log);
  let server: RunningServer;
  try {
    // the commands that only look at a configuration do without the whole broker
    const { startServer } = await import('../server.ts');
    server = await startServer(config, log);
  } catch (error) {
    log.fatal({ err: error }, 'cannot start');
    return exitCodeOf(error);
  }
  log.info({ addresses: server.addresses, admin: server.adminAddress }, 'ready');
  onReady(server);
  try {
    const request = await Promise.race([stop, server.closed]);
    if (request === undefined) {
      log.fatal('the node ended by itself');
      return exitCodes.fault;
    }
    if (request === 'drain') await server.drain();
    await server.stop();
    log.info('stopped');
    return exitCodes.fine;
  } catch (error) {
    log.fatal({ err: error }, 'the node failed');
    return exitCodes.fault;
  }
}

function warn(config: Config, log: Logger): void {
  if (config.redis.url === null) {
    log.warn('no Redis is configured: this node runs alone, on a store in memory that is gone when it stops');
  }
  if (config.allowAnonymous) {
    const consequence = hasAuthentication(config.auth) ? 'is let in without saying who it is' : 'can read and write every topic';
    log.warn(`allowAnonymous is set: whoever reaches a listener ${consequence}`);
  }
}
