import type { Clock } from '../base/clock.ts';
import { LogLimiter, type Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { parseAcl } from './acl-file.ts';
import { Permit, type RuleSource } from './permit.ts';
import { Rules } from './rules.ts';
import { WatchedFile } from './watched-file.ts';

export type Action = 'publish' | 'subscribe' | 'will';

interface Tools {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** The rules of a file, kept up to date. */
export class AccessList implements RuleSource {
  readonly #file: WatchedFile<Rules>;
  readonly allowsByDefault: boolean;
  readonly #denied: { of(action: Action): { value: number } };
  readonly forgotten: { value: number };
  readonly #limiter = new LogLimiter(10_000);
  readonly #log: Logger;
  readonly #clock: Clock;

  private constructor(file: WatchedFile<Rules>, allowsByDefault: boolean, { log, metrics, clock }: Tools) {
    this.#file = file;
    this.allowsByDefault = allowsByDefault;
    this.#log = log;
    this.#clock = clock;
    this.#denied = metrics.counters('swarmq_auth_denied_total', 'What the access list did not allow, by action', 'action');
    this.forgotten = metrics.counter('swarmq_auth_acl_forgotten_total', 'Times that what was decided for a client was forgotten, because it used too many topics to remember');
    metrics.gauge('swarmq_auth_acl_file_stale', '1 while the access list was changed and could not be taken over, else 0', () => (file.isStale ? 1 : 0));
    metrics.gauge('swarmq_auth_acl_rules', 'Rules of the access list that is in force', () => file.value.size);
  }

  /** Rejects with `config-invalid` when the file cannot be read or understood. */
  static async open(path: string, allowsByDefault: boolean, tools: Tools): Promise<AccessList> {
    return new AccessList(await WatchedFile.open(path, (text) => new Rules(parseAcl(text, path)), tools.log), allowsByDefault, tools);
  }

  get rules(): Rules {
    return this.#file.value;
  }

  permitFor(clientId: string, username: string | null): Permit {
    return new Permit(this, clientId, username);
  }

  /** Permits follow by themselves; `changed` is for what was decided before. */
  watch(changed: () => void): void {
    this.#file.onChange = changed;
  }

  /** Counts and logs what was denied, a line for each action every ten seconds. */
  noteDenied(action: Action, client: string, user: string | null, topic: string): void {
    this.#denied.of(action).value++;
    const held = this.#limiter.pass(action, this.#clock.monotonic());
    if (held < 0) return;
    this.#log.warn({ client, user: user ?? undefined, action, topic, ...(held > 0 ? { heldBackLines: held } : {}) }, 'the access list does not allow this');
  }

  close(): void {
    this.#file.close();
  }
}
