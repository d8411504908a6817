import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { connect, createServer, type AddressInfo } from 'node:net';

const startMs = 20_000;
const stopMs = 5_000;
const keptOutput = 20;

export const host = '127.0.0.1';

export interface Command {
  /** For messages: which server this is. */
  name: string;
  file: string;
  args: string[];
  /** When it is up: its port accepts a connection, or a line of its output is a JSON object with this `msg`. */
  ready: { port: number } | { line: string };
  /** A directory of its own, removed when it has ended. */
  directory?: string;
}

/** A server of a benchmark in its own process. */
export class ServerProcess {
  readonly pid: number;
  /** The line of its output by which it told that it is up; null where its port told it. */
  readonly announcement: Readonly<Record<string, unknown>> | null;
  /** Its last lines. */
  readonly output: readonly string[];
  readonly runsOnNode: boolean;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  /** Starts a server and waits until it is up. Rejects with its last output when it is not within 20 s. */
  static async start(command: Command): Promise<ServerProcess> {
    // its inspector, should it be opened, takes a free port; workers of a cluster would count on from there, to ports that are none
    const env = { ...process.env, ...(command.args.includes('cluster') ? {} : { NODE_OPTIONS: '--inspect-port=0' }) };
    const child = spawn(command.file, command.args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: string[] = [];
    let announcement: Record<string, unknown> | null = null;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line);
        if (output.length > keptOutput) output.shift();
        const said = objectOf(line);
        if ('line' in command.ready && said?.['msg'] === command.ready.line) announcement = said;
      });
    }
    let ending: string | undefined;
    child.once('error', (error) => (ending = error.message));
    child.once('exit', (code, signal) => (ending = `exit ${code ?? signal}`));

    const { ready } = command;
    const isUp = 'port' in ready ? (): Promise<boolean> => accepts(ready.port) : async (): Promise<boolean> => announcement !== null;
    const deadline = performance.now() + startMs;
    while (!(await isUp())) {
      if (ending === undefined && performance.now() < deadline) await pause(20);
      else {
        child.kill('SIGKILL');
        throw new Error(`${command.name} did not start (${ending ?? `not up after ${startMs / 1000} s`})\n${output.join('\n')}`);
      }
    }
    return new ServerProcess(child, command, output, announcement);
  }

  private constructor(child: ChildProcess, { file, directory }: Command, output: readonly string[], announcement: Record<string, unknown> | null) {
    this.#child = child;
    this.output = output;
    this.runsOnNode = file === process.execPath;
    this.announcement = announcement;
    this.pid = child.pid!;
    const clean = (): void => {
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    };
    const end = (): void => {
      child.kill('SIGKILL');
      clean();
    };
    process.once('exit', end);
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => {
        process.removeListener('exit', end);
        clean();
        resolve();
      });
    });
  }

  /** SIGTERM, and SIGKILL after 5 s. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopMs);
    this.#child.kill('SIGTERM');
    await this.#exited;
    clearTimeout(timer);
  }
}

/** A port of 127.0.0.1 that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function objectOf(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
