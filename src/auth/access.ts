import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Config } from '../config/schema.ts';
import { AccessList } from './access-list.ts';
import type { Authenticator } from './authenticator.ts';
import type { Exchange } from './exchange.ts';
import { HashQueue } from './hash-queue.ts';
import { anonymous, type Identity, type Visitor } from './identity.ts';
import { PasswordFile } from './password-file.ts';
import { Refusals } from './refusals.ts';

interface Tools {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Who may come in, by the ways that are configured, asked in a row; and what they may do, by the access list. */
export class Access {
  readonly #ways: readonly Authenticator[];
  readonly #allowsAnonymous: boolean;
  readonly #refusals: Refusals;
  /** null: whoever is let in may do everything */
  readonly list: AccessList | null;

  constructor(ways: readonly Authenticator[], allowsAnonymous: boolean, refusals: Refusals, list: AccessList | null) {
    this.#ways = ways;
    this.#allowsAnonymous = allowsAnonymous;
    this.#refusals = refusals;
    this.list = list;
  }

  /** Who it is; without a promise when that is known at once. Refuses with `bad-credentials`, `not-authorized` or `server-busy`. */
  authenticate(visitor: Visitor): Identity | Promise<Identity> {
    return this.#ask(visitor, 0);
  }

  /** Begins an exchange. Refuses with `bad-authentication-method` when no way speaks this one. */
  exchange(method: string, visitor: Visitor): Exchange {
    for (const way of this.#ways) {
      const exchange = way.exchange(method, visitor);
      if (exchange !== null) return exchange;
    }
    throw this.#refusals.refuse('unknown-method', visitor);
  }

  /** What to throw when a connection authenticates again, as somebody else. */
  refuseOther(visitor: Visitor, username: string | null): Error {
    return this.#refusals.refuse('other-user', visitor, username);
  }

  close(): void {
    for (const way of this.#ways) way.close();
    this.list?.close();
  }

  #ask(visitor: Visitor, from: number): Identity | Promise<Identity> {
    for (let i = from; i < this.#ways.length; i++) {
      const answer = this.#ways[i]?.authenticate(visitor) ?? null;
      if (answer instanceof Promise) return answer.then((identity) => identity ?? this.#ask(visitor, i + 1));
      if (answer !== null) return answer;
    }
    // where nobody is asked, a user name is a claim and no identity
    if (this.#ways.length === 0 || (visitor.username === null && this.#allowsAnonymous)) return anonymous;
    throw this.#refusals.refuse('anonymous', visitor);
  }
}

/** Null when nothing of it is configured: then nobody is asked. Rejects with `config-invalid` for files that cannot be read. */
export async function openAccess({ auth, allowAnonymous }: Config, tools: Tools): Promise<Access | null> {
  const { passwordFile, aclFile } = auth;
  if (passwordFile === null && aclFile === null) return null;
  const refusals = new Refusals(tools);
  const hashes = new HashQueue(auth.hashesAtOnce, auth.maxWaitingHashes, tools.metrics);
  const ways = passwordFile === null ? [] : [await PasswordFile.open(passwordFile, { ...tools, hashes, refusals })];
  const list = aclFile === null ? null : await AccessList.open(aclFile, auth.noMatch === 'allow', tools);
  return new Access(ways, allowAnonymous, refusals, list);
}
