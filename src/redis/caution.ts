import type { Logger } from '../base/log.ts';

/** What of a server's own settings can lose what Swarmq keeps in it. */
export interface Risks {
  /** the policy by which keys are thrown away when memory is full, data among them; null when none */
  readonly eviction: string | null;
  /** nothing is written to disk as it comes: a restart forgets */
  readonly forgetful: boolean;
}

/** Reads the answer to INFO, which managed services allow where they forbid CONFIG. What it does not say is no risk. */
export function risksOf(info: string): Risks {
  const say = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const policy = say('maxmemory_policy');
  const hasLimit = Number(say('maxmemory') || 0) > 0;
  return { eviction: hasLimit && policy !== '' && policy !== 'noeviction' ? policy : null, forgetful: say('aof_enabled') === '0' };
}

/** Of its memory, in parts of a hundred, from which on Redis is nearly full. */
const nearlyFull = 80;

/** Whether Redis may refuse what it is told for want of memory at any moment. */
export function isNearlyFull(info: string): boolean {
  const [used = 0, most = 0] = ['used_memory', 'maxmemory'].map((name) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0));
  return most > 0 && used * 100 > most * nearlyFull;
}

/** Whether the policy takes keys that hold what was acknowledged. Those with a time of their own are leases and leftovers. */
export function losesData(policy: string): boolean {
  return policy.startsWith('allkeys-');
}

export function report({ eviction, forgetful }: Risks, redis: string, log: Logger): void {
  if (eviction !== null && losesData(eviction)) {
    log.error({ redis, policy: eviction }, 'Redis throws keys away when it is full: acknowledged messages can be lost. Set maxmemory-policy noeviction');
  } else if (eviction !== null) {
    log.warn({ redis, policy: eviction }, 'Redis throws leases away when it is full: nodes may be taken for dead. Set maxmemory-policy noeviction');
  }
  if (forgetful) {
    log.warn({ redis }, 'Redis keeps no append-only file: what was acknowledged is gone when it restarts. Set appendonly yes');
  }
}
