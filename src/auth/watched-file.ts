import type { Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

const lookMs = 500;

type Parse<T> = (text: string, path: string) => T;

/**
 * A file whose meaning is kept up to date: it is looked at twice a second, which also sees files that an orchestrator swaps by
 * links. It is read when two looks in a row find the same change, because one may come in the middle of the writing. A change that
 * cannot be read or understood is logged, and what was understood before stays in force.
 */
export class WatchedFile<T> {
  readonly path: string;
  readonly #parse: Parse<T>;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #value: T;
  /** of the content that was read last */
  #stamp: string;
  /** of a change that was seen once */
  #newStamp = '';
  /** of the content that could not be understood */
  #badStamp = '';
  #isStale = false;
  #isLooking = false;
  /** told of each new value */
  onChange: (value: T) => void = () => undefined;

  private constructor(path: string, first: Content, parse: Parse<T>, log: Logger) {
    this.path = path;
    this.#parse = parse;
    this.#log = log;
    this.#stamp = first.stamp;
    this.#value = parse(first.text, path);
    this.#timer = setInterval(() => void this.#look(), lookMs).unref();
  }

  /** Rejects with `config-invalid` when the file cannot be read, and with what `parse` throws. */
  static async open<T>(path: string, parse: Parse<T>, log: Logger): Promise<WatchedFile<T>> {
    try {
      return new WatchedFile(path, await read(path), parse, log);
    } catch (error) {
      if (error instanceof BrokerError) throw error;
      throw new BrokerError('config-invalid', `${path} cannot be read: ${reasonOf(error)}`, error);
    }
  }

  get value(): T {
    return this.#value;
  }

  /** Whether it was changed, or removed, and that could not be taken over. */
  get isStale(): boolean {
    return this.#isStale;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const stamp = stampOf(await stat(this.path));
      if (stamp !== this.#stamp && stamp === this.#newStamp) this.#take(await read(this.path));
      this.#newStamp = stamp;
      this.#isStale = this.#stamp === this.#badStamp;
    } catch (error) {
      if (!this.#isStale) this.#log.error({ file: this.path, reason: reasonOf(error) }, 'a file was changed and cannot be taken over');
      this.#isStale = true;
    } finally {
      this.#isLooking = false;
    }
  }

  #take({ stamp, text }: Content): void {
    this.#stamp = stamp;
    this.#badStamp = stamp;
    this.#value = this.#parse(text, this.path);
    this.#badStamp = '';
    this.#log.info({ file: this.path }, 'a file was changed and taken over');
    this.onChange(this.#value);
  }
}

interface Content {
  readonly stamp: string;
  readonly text: string;
}

async function read(path: string): Promise<Content> {
  const file = await open(path);
  try {
    return { stamp: stampOf(await file.stat()), text: await file.readFile('utf8') };
  } finally {
    await file.close();
  }
}

function stampOf({ dev, ino, size, mtimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs}`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
