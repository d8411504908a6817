/** Says on stderr what is being measured: one line that is rewritten, or a line each where nobody watches. */
export class Progress {
  readonly #steps: number;
  readonly #isTerminal = process.stderr.isTTY;
  readonly #startedAtMs = performance.now();
  #done = 0;

  constructor(steps: number) {
    this.#steps = steps;
  }

  step(what: string): void {
    const passedMs = performance.now() - this.#startedAtMs;
    const left = this.#done === 0 ? '' : ` · ${minutes((passedMs / this.#done) * (this.#steps - this.#done))} left`;
    this.#done += 1;
    const line = `[${this.#done}/${this.#steps}] ${what}${left}`;
    process.stderr.write(this.#isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
  }

  clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}

function minutes(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
