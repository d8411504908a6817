/** Lets so much work be under way at a time; the rest waits in line. */
export class Gate {
  readonly #most: number;
  #underWay = 0;
  readonly #line: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#most) await new Promise<void>((resolve) => this.#line.push(resolve));
    else this.#underWay++;
    try {
      return await work();
    } finally {
      // whoever comes next takes over the place
      const next = this.#line.shift();
      if (next === undefined) this.#underWay--;
      else next();
    }
  }
}
