import type { RedisBatch, Reply } from './batch.ts';

const multi = Buffer.from('*1\r\n$5\r\nMULTI\r\n');
const exec = Buffer.from('*1\r\n$4\r\nEXEC\r\n');

interface Stream {
  write(chunk: Buffer): unknown;
  cork(): void;
  uncork(): void;
}

/**
 * The commands of a batch as one transaction: Redis takes all of them or none. So one that is refused for want of memory does not
 * let pass a later one that finds room again, and messages keep their order. What only frees memory goes before it and by
 * itself: it must come through while everything else is refused.
 */
export class Whole {
  readonly #batch: RedisBatch;
  readonly #freeing: number[];
  readonly #together: number[];
  /** those of the transaction that no waiting would mend */
  readonly #hopeless = new Set<number>();
  readonly #settle: (slot: number, reply: Reply) => void;
  readonly #fail: (slot: number, error: Error) => void;
  #answered = 0;
  #refusal: Error | null = null;

  /** `settle` is told of each command's reply, `fail` of each that the transaction took with it. */
  constructor(batch: RedisBatch, slots: readonly number[], settle: (slot: number, reply: Reply) => void, fail: (slot: number, error: Error) => void) {
    this.#batch = batch;
    this.#freeing = slots.filter((slot) => batch.isFreeing(slot));
    this.#together = slots.filter((slot) => !batch.isFreeing(slot));
    this.#settle = settle;
    this.#fail = fail;
  }

  /** How many replies come. */
  get wanted(): number {
    return this.#freeing.length + this.#together.length + 2;
  }

  writeTo(stream: Stream): void {
    stream.cork();
    this.#batch.writeTo(stream, this.#freeing);
    stream.write(multi);
    this.#batch.writeTo(stream, this.#together);
    stream.write(exec);
    stream.uncork();
  }

  /** Takes the next reply. */
  take(reply: Reply, isPassing: (error: Error) => boolean): void {
    const place = this.#answered++ - this.#freeing.length;
    if (place < 0) {
      this.#settle(this.#freeing[this.#freeing.length + place]!, reply);
    } else if (place > this.#together.length) {
      this.#end(reply);
    } else if (reply instanceof Error && isPassing(reply)) {
      this.#refusal ??= reply;
    } else if (place > 0 && reply instanceof Error) {
      const slot = this.#together[place - 1]!;
      this.#hopeless.add(slot);
      this.#settle(slot, reply);
    }
  }

  #end(reply: Reply): void {
    if (Array.isArray(reply)) {
      this.#together.forEach((slot, i) => {
        this.#settle(slot, reply[i] ?? null);
      });
      return;
    }
    const error = this.#refusal ?? (reply instanceof Error ? reply : new Error('EXECABORT: the transaction was not carried out'));
    for (const slot of this.#together) if (!this.#hopeless.has(slot)) this.#fail(slot, error);
  }
}
