import { BrokerError } from '../base/errors.ts';

/** What Redis says when it takes nothing for now. */
const refusing = /^(OOM|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|MISCONF|NOREPLICAS)/;
/** What Redis, or the client library, says when the same command may succeed later. */
const passing = new RegExp(
  `${refusing.source}|^(NOSCRIPT|UNBLOCKED)|writeable|Connection is closed|max retries|timed out|ECONN|EPIPE|aborted`,
  'i',
);
/** What a server says that was the primary and is so no longer. */
const demoted = /^(READONLY|MASTERDOWN|UNBLOCKED)|^ERR WAIT cannot be used/;

export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && refusing.test(error.message);
}

export function isPassing(error: Error): boolean {
  return passing.test(error.message) || demoted.test(error.message);
}

export function isDemotion(error: Error): boolean {
  return demoted.test(error.message);
}

/** Errors of the client library that mean "Redis is away" as `store-unavailable`; any other as it is. */
export function asUnavailable(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const isAway = error instanceof Error && isPassing(error);
  return new BrokerError(isAway ? 'store-unavailable' : 'internal', `Redis: ${text}`, error);
}

export function closedError(): BrokerError {
  return new BrokerError('store-unavailable', 'the way to Redis is closed');
}
