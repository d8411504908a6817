import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromLoad, LoadPlan, LoadResult, Target, ToLoad } from './load/plan.ts';

const file = fileURLToPath(new URL('load/main.ts', import.meta.url));
const answerMs = 180_000;

/** The load generator in its own process, one for each round. */
export class LoadProcess {
  readonly #child: ChildProcess;

  static async start(): Promise<LoadProcess> {
    const load = new LoadProcess(fork(file, { execArgv: ['--import', 'tsx'] }));
    await load.#answer();
    return load;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Connects, subscribes and warms up; nothing is on its way when this resolves. */
  async prepare(plan: LoadPlan, target: Target): Promise<void> {
    await this.#ask({ do: 'prepare', plan, target });
  }

  async measure(): Promise<LoadResult> {
    const answer = await this.#ask({ do: 'measure' });
    if (!('did' in answer) || answer.did !== 'measure') throw new Error(`no result: ${JSON.stringify(answer)}`);
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

  #answer(): Promise<FromLoad> {
    return new Promise((resolve, reject) => {
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        this.#child.removeAllListeners();
        how();
      };
      const fail = (reason: string): void => settle(() => reject(new Error(reason)));
      const timer = setTimeout(() => fail(`the load generator did not answer within ${answerMs / 1000} s`), answerMs);
      this.#child.once('error', (error) => fail(error.message));
      this.#child.once('exit', (code, signal) => fail(`the load generator ended with ${code ?? signal}`));
      this.#child.once('message', (message: FromLoad) => {
        if ('failed' in message) fail(message.failed);
        else settle(() => resolve(message));
      });
    });
  }
}
