import { constants } from 'node:os';
import { BrokerError } from '../base/errors.ts';

/** What the process says when it ends. Scripts and supervisors rely on these numbers. */
export const exitCodes = {
  fine: 0,
  fault: 1,
  usage: 2,
  configuration: 3,
  cannotListen: 4,
  storeUnreachable: 5,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const exitCodesHelp = `
Exit codes:
  0  done, or stopped by a signal after everything was closed in order
  1  fault: the log says which
  2  usage: unknown command or option
  3  configuration: the faults are listed, nothing was started
  4  cannot listen: an address is in use, or not of this machine
  5  the store could not be reached at the start
  128 + n  ended at once by a second signal n`;

/** The exit code that tells what kind of error this is. */
export function exitCodeOf(error: unknown): ExitCode {
  const code = error instanceof BrokerError ? error.code : null;
  if (code === 'store-unavailable') return exitCodes.storeUnreachable;
  if (isAboutListening(error)) return exitCodes.cannotListen;
  return code === 'config-invalid' ? exitCodes.configuration : exitCodes.fault;
}

/** Whether the system refused an address: in use, not of this machine, not allowed, or a name that nobody knows. */
function isAboutListening(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('syscall' in cause && /^(listen|bind|getaddrinfo)$/.test(String(cause.syscall))) return true;
  }
  return false;
}

/** The exit code of a process that a signal ended. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
