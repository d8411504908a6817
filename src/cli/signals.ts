import type { Logger } from '../base/log.ts';
import { exitCodeOfSignal } from './exit-codes.ts';

/** How a node ends: `drain` lets its clients go in paced waves first, `at-once` closes them. */
export type StopRequest = 'drain' | 'at-once';

/**
 * Gives what the first SIGTERM (`drain`) or SIGINT (`at-once`) asks for. A second signal of either kind ends the
 * process there and then, after `force`.
 */
export function stopOnSignal(log: Logger, force: () => void = () => undefined): Promise<StopRequest> {
  return new Promise((resolve) => {
    let isStopping = false;
    const on = (signal: NodeJS.Signals, request: StopRequest): void => {
      process.on(signal, () => {
        if (isStopping) {
          log.warn({ signal }, 'a second signal: ending at once');
          force();
          process.exit(exitCodeOfSignal(signal));
        }
        isStopping = true;
        log.info({ signal }, 'stopping');
        resolve(request);
      });
    };
    on('SIGTERM', 'drain');
    on('SIGINT', 'at-once');
  });
}
