import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Attempts } from './attempts.ts';
import type { Authenticator } from './authenticator.ts';
import type { Exchange } from './exchange.ts';
import type { HashQueue } from './hash-queue.ts';
import type { Identity, Visitor } from './identity.ts';
import { parsePasswords, type PasswordEntries, type PasswordEntry } from './password-entries.ts';
import { costOf, decoyOf, matches, usualHash, type PasswordHash } from './password-hash.ts';
import type { RefusalReason, Refusals } from './refusals.ts';
import { ScramExchange, scramMethod } from './scram.ts';
import { decoyVerifier, usualIterations, type ScramVerifier } from './scram-verifier.ts';
import { WatchedFile } from './watched-file.ts';

interface Tools {
  readonly attempts: Attempts;
  readonly hashes: HashQueue;
  readonly refusals: Refusals;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** The users of one reading of the file, and what stands in for those who are not among them. */
class Users {
  readonly #byName: ReadonlyMap<string, PasswordEntry>;
  readonly #decoyKey: Buffer;
  readonly #decoyIterations: number;
  readonly decoyHash: PasswordHash;
  /** of passwords that were right, so that a reconnect costs no slow hash; keyed with a secret of this process */
  readonly proven = new Map<PasswordEntry, Buffer>();

  constructor({ users, decoyKey }: PasswordEntries) {
    this.#byName = users;
    this.#decoyKey = decoyKey ?? processKey;
    const entries = [...users.values()];
    this.#decoyIterations = mostCommon(entries.flatMap(({ verifier }) => verifier?.iterations ?? []), String) ?? usualIterations;
    this.decoyHash = decoyOf(mostCommon(entries.flatMap(({ hash }) => hash ?? []), costOf) ?? usualHash);
  }

  get(username: string): PasswordEntry | undefined {
    return this.#byName.get(username);
  }

  find(username: string): { verifier: ScramVerifier; isKnown: boolean } {
    const decoy = decoyVerifier(this.#decoyKey, username, this.#decoyIterations);
    const verifier = this.#byName.get(username)?.verifier ?? null;
    return { verifier: verifier ?? decoy, isKnown: verifier !== null };
  }
}

const processKey = randomBytes(32);

/**
 * Users in a file: their passwords, and SCRAM-SHA-256 for those who have a verifier. It knows every user name or refuses it, so
 * it stands last in the row.
 *
 * An unknown name costs as much time as most of the known ones.
 */
export class PasswordFile implements Authenticator {
  readonly #file: WatchedFile<Users>;
  readonly #attempts: Attempts;
  readonly #hashes: HashQueue;
  readonly #refusals: Refusals;

  private constructor(file: WatchedFile<Users>, { attempts, hashes, refusals, metrics }: Tools) {
    this.#file = file;
    this.#attempts = attempts;
    this.#hashes = hashes;
    this.#refusals = refusals;
    metrics.gauge('swarmq_auth_failing', 'Users and addresses that failed to authenticate lately', () => attempts.size);
    metrics.gauge('swarmq_auth_password_file_stale', '1 while the password file was changed and could not be taken over, else 0', () => (file.isStale ? 1 : 0));
  }

  /** Rejects with `config-invalid` when the file cannot be read or understood. */
  static async open(path: string, tools: Tools): Promise<PasswordFile> {
    return new PasswordFile(await WatchedFile.open(path, (text) => new Users(parsePasswords(text, path)), tools.log), tools);
  }

  authenticate(visitor: Visitor): Identity | null | Promise<Identity> {
    const { username, password } = visitor;
    if (username === null) return null;
    if (password === null) throw this.#refusals.refuse('no-password', visitor);
    this.#checkAttempts(visitor, username);
    const users = this.#file.value;
    const entry = users.get(username);
    const mac = createHmac('sha256', processKey).update(password).digest();
    const proven = entry === undefined ? undefined : users.proven.get(entry);
    if (proven !== undefined && timingSafeEqual(proven, mac)) {
      this.#attempts.succeeded(username, visitor.address);
      return { username };
    }
    return this.#check(visitor, username, password, users, entry, mac);
  }

  exchange(method: string, visitor: Visitor): Exchange | null {
    if (method !== scramMethod) return null;
    const users = {
      find: (username: string) => {
        this.#checkAttempts(visitor, username);
        return this.#file.value.find(username);
      },
    };
    const exchange = new ScramExchange(users, (reason, username) => this.#refuse(reason, visitor, username));
    return {
      step: (data) => {
        const step = exchange.step(data);
        if (step.identity?.username != null) this.#attempts.succeeded(step.identity.username, visitor.address);
        return step;
      },
    };
  }

  close(): void {
    this.#file.close();
  }

  async #check(visitor: Visitor, username: string, password: Buffer, users: Users, entry: PasswordEntry | undefined, mac: Buffer): Promise<Identity> {
    const hash = entry?.hash ?? users.decoyHash;
    const isRight = await this.#hashes.run(
      () => matches(hash, password),
      // others may have failed as the same user while this one waited
      () => !visitor.isGone() && !this.#attempts.mustWait(username, visitor.address),
    );
    if (isRight === null) {
      this.#checkAttempts(visitor, username);
      throw this.#refuse('busy', visitor, username);
    }
    if (entry === undefined) throw this.#refuse('unknown-user', visitor, username);
    if (!isRight) throw this.#refuse('wrong-password', visitor, username);
    this.#attempts.succeeded(username, visitor.address);
    users.proven.set(entry, mac);
    return { username };
  }

  #checkAttempts(visitor: Visitor, username: string): void {
    if (this.#attempts.mustWait(username, visitor.address)) throw this.#refuse('too-many-failures', visitor, username);
  }

  #refuse(reason: RefusalReason, visitor: Visitor, username: string): BrokerError {
    if (guesses.has(reason)) this.#attempts.failed(username, visitor.address);
    return this.#refusals.refuse(reason, visitor, username);
  }
}

/** What somebody who guesses is refused for. */
const guesses: ReadonlySet<RefusalReason> = new Set<RefusalReason>(['unknown-user', 'wrong-password', 'scram-unknown-user', 'scram-wrong-proof']);

/** The first of those that are as `same` says alike most often. */
function mostCommon<T>(values: readonly T[], same: (value: T) => string): T | null {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = same(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  const [largest] = [...groups.values()].sort((a, b) => b.length - a.length);
  return largest?.[0] ?? null;
}
