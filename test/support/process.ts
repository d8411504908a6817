import { spawn, type ChildProcess } from 'node:child_process';
import { atEnd } from './ends.ts';
import { within } from './eventually.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessOptions {
  readonly name?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What is given on standard input, which is then closed. Without it standard input is empty. */
  readonly input?: string | Buffer;
  /** Standard input stays open, for `type`. */
  readonly isTyped?: boolean;
  /** It is part of a larger thing that ends it. */
  readonly unowned?: boolean;
}

const running = new Set<ChildProcess>();

/** This process's environment without configuration of Swarmq, which would reach every node under test. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SWARMQ_')));

// the last resort when the test process itself ends early
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A real process that ends with its test: its output is kept, its lines can be waited for, signals can be sent to it. */
export class TestProcess {
  readonly name: string;
  /** Settles once it has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  #exit: Exit | null = null;
  #failure: Error | null = null;
  #output = '';
  readonly #lines: string[] = [];
  #unfinished = '';

  constructor(command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.name = options.name ?? command;
    const stdin = options.input === undefined && !options.isTyped ? 'ignore' : 'pipe';
    this.#child = spawn(command, args, { cwd: options.cwd, env: options.env ?? environment, stdio: [stdin, 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#take(text);
      });
    }
    this.#child.stdin?.on('error', () => undefined);
    if (!options.isTyped) this.#child.stdin?.end(options.input);
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        this.#exit = exit;
        if (this.#unfinished !== '') this.#take('\n');
        this.#tell();
        resolve(exit);
      };
      this.#child.once('error', (error) => {
        this.#failure = error;
        end({ code: null, signal: null });
      });
      this.#child.once('close', (code, signal) => {
        end({ code, signal });
      });
    });
    running.add(this.#child);
    const forget = options.unowned ? null : atEnd(`${this.name} (pid ${this.pid})`, async () => void (await this.stop()));
    void this.exited.then(() => {
      running.delete(this.#child);
      forget?.();
    });
  }

  /** 0 when the command could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#exit === null;
  }

  /** Standard output and standard error so far, as they came. */
  get output(): string {
    return this.#output;
  }

  /** The complete lines so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /**
   * The first thing that `read` finds in a line of the output, past or to come. Fails at the deadline, or as soon as
   * the process has ended without it, with the end of the output in the message.
   */
  async line<Value>(read: (line: string) => Value | undefined, what: string, withinMs = 20_000): Promise<Value> {
    let seen = 0;
    let watcher: (() => void) | undefined;
    const found = new Promise<Value>((resolve, reject) => {
      watcher = () => {
        while (seen < this.#lines.length) {
          const value = read(this.#lines[seen++] ?? '');
          if (value !== undefined) {
            resolve(value);
            return;
          }
        }
        if (this.#exit !== null) reject(new Error(`${this.name} ended without ${what}: ${this.#ending()}`));
      };
      this.#watchers.add(watcher);
      watcher();
    });
    try {
      return await within(found, withinMs, what);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#output.slice(-4_000)}`);
    } finally {
      if (watcher !== undefined) this.#watchers.delete(watcher);
    }
  }

  /** Gives more on standard input. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Sends the signal. With SIGKILL nothing of the process runs any more once this resolves. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child.kill(signal);
    if (signal === 'SIGKILL') await this.exited;
  }

  /** Stops it in the middle of whatever it does; its sockets stay open. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Asks it to end (SIGTERM) and waits; after `withinMs` it is killed and this fails. */
  async stop(withinMs = 15_000): Promise<Exit> {
    if (this.#exit !== null) return this.#exit;
    this.thaw();
    this.#child.kill('SIGTERM');
    try {
      return await within(this.exited, withinMs, `the end of ${this.name}`);
    } catch (error) {
      await this.kill('SIGKILL');
      throw error;
    }
  }

  /** Waits for its end and gives the output; fails unless it exits with 0. */
  async success(withinMs = 20_000): Promise<string> {
    let exit: Exit;
    try {
      exit = await within(this.exited, withinMs, `the end of ${this.name}`);
    } catch (error) {
      await this.kill('SIGKILL');
      throw error;
    }
    if (exit.code !== 0) throw new Error(`${this.name}: ${this.#ending()}\n${this.#output.slice(-4_000)}`);
    return this.#output;
  }

  #ending(): string {
    if (this.#failure !== null) return this.#failure.message;
    return this.#exit?.signal != null ? `ended by ${this.#exit.signal}` : `exit code ${this.#exit?.code ?? 'unknown'}`;
  }

  #take(text: string): void {
    this.#output += text;
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = lines.pop() ?? '';
    this.#lines.push(...lines);
    this.#tell();
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
