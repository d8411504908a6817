/** What went wrong with the messages of a run. All zero is the only good answer. */
export interface Faults {
  lost: number;
  doubled: number;
  reordered: number;
  /** Delivered to a subscriber that did not ask for it. */
  misrouted: number;
}

/**
 * Checks what arrives: one sequence 0, 1, 2, ... per stream, each number once and in order.
 *
 * A number that is skipped is remembered as missing; it is reordered when it comes later, lost when it never does.
 */
export class Ledger {
  readonly #next: Uint32Array;
  readonly #missing = new Map<number, Set<number>>();
  doubled = 0;
  reordered = 0;

  constructor(streams: number) {
    this.#next = new Uint32Array(streams);
  }

  record(stream: number, sequence: number): void {
    const next = this.#next[stream]!;
    if (sequence === next) this.#next[stream] = next + 1;
    else if (sequence > next) this.#skip(stream, next, sequence);
    else if (this.#missing.get(stream)?.delete(sequence) === true) this.reordered += 1;
    else this.doubled += 1;
  }

  /** How many of the first `sent` messages of a stream have not arrived. */
  lost(stream: number, sent: number): number {
    return (this.#missing.get(stream)?.size ?? 0) + sent - this.#next[stream]!;
  }

  #skip(stream: number, from: number, to: number): void {
    let missing = this.#missing.get(stream);
    if (missing === undefined) this.#missing.set(stream, (missing = new Set()));
    for (let sequence = from; sequence < to; sequence++) missing.add(sequence);
    this.#next[stream] = to + 1;
  }
}

/**
 * The ledger of a shared subscription: a message goes to one member of the group, so what each publisher sent must
 * arrive once in the group, and in rising order at each member.
 */
export class SharedLedger {
  readonly #group: Ledger;
  readonly #publishers: number;
  readonly #highest: Int32Array;
  reordered = 0;

  constructor(publishers: number, members: number) {
    this.#group = new Ledger(publishers);
    this.#publishers = publishers;
    this.#highest = new Int32Array(publishers * members).fill(-1);
  }

  get doubled(): number {
    return this.#group.doubled;
  }

  record(member: number, publisher: number, sequence: number): void {
    const at = member * this.#publishers + publisher;
    if (sequence < this.#highest[at]!) this.reordered += 1;
    else this.#highest[at] = sequence;
    this.#group.record(publisher, sequence);
  }

  lost(publisher: number, sent: number): number {
    return this.#group.lost(publisher, sent);
  }
}
