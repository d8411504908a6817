import { BrokerError } from '../base/errors.ts';

/** One thing that is wrong with a configuration. */
export interface ConfigFault {
  /** The option, down to the entry of a list: `listeners[1].tls.certFile`. Empty when it concerns a whole source. */
  readonly path: string;
  /** Where the value came from, in words: `file swarmq.yaml`, `environment SWARMQ_REDIS_URL`, `flag --redis`. */
  readonly origin: string;
  /** As it may be shown: secrets are hidden already. Null when there is none. */
  readonly value: string | null;
  /** What is wrong and what to do, as the rest of a sentence that begins with the value. */
  readonly problem: string;
}

/** The one error of a configuration that cannot be used. Its cause is the list of all faults. */
export function configInvalid(faults: readonly ConfigFault[]): BrokerError {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  return new BrokerError('config-invalid', [`the configuration has ${count}:`, ...faults.map(line)].join('\n  '), faults);
}

function line({ path, origin, value, problem }: ConfigFault): string {
  const place = path === '' ? origin : `${path} (${origin})`;
  return `${place}: ${value === null ? '' : `${value} `}${problem}`;
}
