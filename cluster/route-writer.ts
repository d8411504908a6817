import type { Arg } from '../src/redis/batch.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import { answer, Script } from '../src/redis/script.ts';
import type { RouteChange } from './cluster.ts';

export const routesChange = new Script(new URL('./lua/routes_change.lua', import.meta.url), {
  keys: ['table', 'log'],
  args: ['max_entries', 'changes...'],
});

const changesAtOnce = 500;
const plus = 0x2b;
const minus = 0x2d;
const versionBytes = 8;

interface Waiting {
  readonly changes: readonly RouteChange[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes changes of the routes, in the order in which they were given. What is given while a write is on its way goes out
 * together afterwards: a thousand subscriptions in one turn are two round trips.
 */
export class RouteWriter {
  readonly #link: RedisLink;
  readonly #maxEntries: number;
  readonly #onWritten: (changes: readonly RouteChange[], seq: number) => void;
  #waiting: Waiting[] = [];
  #isWriting = false;

  /** `onWritten` is told of the changes that count, and the number of the log's last entry then. */
  constructor(link: RedisLink, maxEntries: number, onWritten: (changes: readonly RouteChange[], seq: number) => void) {
    this.#link = link;
    this.#maxEntries = maxEntries;
    this.#onWritten = onWritten;
  }

  /** Resolves once all are written. When it rejects it is unknown which of them were; writing them again is safe. */
  write(changes: readonly RouteChange[]): Promise<void> {
    if (changes.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject });
      if (!this.#isWriting) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      const all = round.flatMap(({ changes }) => changes);
      try {
        for (let at = 0; at < all.length; at += changesAtOnce) await this.#send(all.slice(at, at + changesAtOnce));
        for (const { resolve } of round) resolve();
      } catch (error) {
        for (const { reject } of round) reject(error);
      }
    }
    this.#isWriting = false;
  }

  async #send(changes: readonly RouteChange[]): Promise<void> {
    const args: Arg[] = [];
    for (const change of changes) args.push(`${change.filter}\0${change.target}`, encodeValue(change));
    const { keys } = this.#link;
    const { rest } = answer(
      await routesChange.run(
        this.#link,
        { table: keys.routes(), log: keys.routeLog() },
        { max_entries: this.#maxEntries, changes: args },
      ),
    );
    const late = new Set((rest[1] as readonly unknown[]).map(Number));
    this.#onWritten(late.size === 0 ? changes : changes.filter((_, i) => !late.has(i)), Number(rest[0]));
  }
}

function encodeValue({ version, options }: RouteChange): Buffer {
  const value = Buffer.allocUnsafe(1 + versionBytes + (options?.length ?? 0));
  value[0] = options === null ? minus : plus;
  value.writeBigUInt64BE(BigInt(version), 1);
  options?.copy(value, 1 + versionBytes);
  return value;
}

/** The options in a value of the log; null for a route that ended. */
export function optionsInLog(value: Buffer): Buffer | null {
  return value[0] === minus ? null : value.subarray(1 + versionBytes);
}

/** The options in a value of the table. */
export function optionsInTable(value: Buffer): Buffer {
  return value.subarray(versionBytes);
}
