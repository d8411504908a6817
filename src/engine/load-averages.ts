const minutes = [1, 5, 15] as const;

export type Minutes = (typeof minutes)[number];

/** How fast a count grows, per minute, as moving averages over 1, 5 and 15 minutes: what a load average is to a machine. */
export class LoadAverages<Name extends string> {
  readonly #counts: Readonly<Record<Name, () => number>>;
  readonly #last = new Map<Name, number>();
  readonly #averages = new Map<string, number>();

  constructor(counts: Readonly<Record<Name, () => number>>) {
    this.#counts = counts;
    for (const name of this.#names) this.#last.set(name, counts[name]());
  }

  /** So many seconds have gone by since the last call. */
  advance(seconds: number): void {
    for (const name of this.#names) {
      const now = this.#counts[name]();
      const perMinute = ((now - (this.#last.get(name) ?? 0)) * 60) / seconds;
      this.#last.set(name, now);
      for (const span of minutes) {
        const key = `${name}/${span}`;
        const kept = Math.exp(-seconds / 60 / span);
        this.#averages.set(key, perMinute + kept * ((this.#averages.get(key) ?? 0) - perMinute));
      }
    }
  }

  of(name: Name, span: Minutes): number {
    return this.#averages.get(`${name}/${span}`) ?? 0;
  }

  get #names(): Name[] {
    return Object.keys(this.#counts) as Name[];
  }
}
