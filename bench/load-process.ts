import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromLoad, LoadPlan, LoadResult, Target, ToLoad } from './load/plan.ts';

const file = fileURLToPath(new URL('load/main.ts', import.meta.url));
const answerMs = 180_000;

/** The load generator in its own process, one for each round. Asked one thing at a time. */
export class LoadProcess {
  readonly #child: ChildProcess;
  #waiting: { resolve: (message: FromLoad) => void; reject: (error: Error) => void } | undefined;

  static async start(): Promise<LoadProcess> {
    const load = new LoadProcess(fork(file, { execArgv: ['--import', 'tsx'] }));
    await load.#answer();
    return load;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: FromLoad) => {
      if ('failed' in message) this.#fail(message.failed);
      else this.#waiting?.resolve(message);
    });
    child.on('error', (error) => this.#fail(error.message));
    child.on('exit', (code, signal) => this.#fail(`the load generator ended with ${code ?? signal}`));
  }

  /** Connects, subscribes and warms up; nothing is on its way when this resolves. */
  async prepare(plan: LoadPlan, target: Target): Promise<void> {
    await this.#ask({ do: 'prepare', plan, target });
  }

  async measure(): Promise<LoadResult> {
    const answer = await this.#ask({ do: 'measure' });
    if (!('result' in answer)) throw new Error(`no result: ${JSON.stringify(answer)}`);
    return answer.result;
  }

  /** Its connections end with it. */
  stop(): void {
    this.#child.kill('SIGKILL');
  }

  #ask(order: ToLoad): Promise<FromLoad> {
    const answer = this.#answer();
    this.#child.send(order);
    return answer;
  }

  async #answer(): Promise<FromLoad> {
    const timer = setTimeout(() => this.#fail(`the load generator did not answer within ${answerMs / 1000} s`), answerMs);
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
      });
    } finally {
      clearTimeout(timer);
    }
  }

  #fail(reason: string): void {
    this.#waiting?.reject(new Error(reason));
  }
}
