import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { atEnd } from './ends.ts';
import { temporaryFolder } from './folder.ts';
import { freePort } from './ports.ts';
import { TestProcess } from './process.ts';

export interface RedisServerOptions {
  readonly port?: number;
  /** Keeps an append-only file (fsync at every write), so that `restart` brings the data back. */
  readonly appendonly?: boolean;
  /** `fillDisk` may be used: a file that would be too large is an error of the write, and not the end of the process. */
  readonly survivesFullDisk?: boolean;
  /** More arguments for redis-server. */
  readonly args?: readonly string[];
}

/** A real redis-server on loopback in a private folder. */
export class RedisServer {
  readonly port: number;
  readonly url: string;
  readonly #options: RedisServerOptions;
  readonly #folder = temporaryFolder('redis');
  readonly #clients = new Set<Redis>();
  readonly #forget: () => void;
  #process: TestProcess;

  constructor(port: number, options: RedisServerOptions) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#options = options;
    this.#process = this.#start();
    this.#forget = atEnd(`redis-server ${port}`, () => this.stop());
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Resolves once it answers commands. */
  async ready(): Promise<void> {
    await this.#process.line((line) => (line.includes('Ready to accept connections') ? true : undefined), 'a ready Redis');
  }

  /** A client of its own for the test's questions; closed with the server. */
  client(options: RedisOptions = {}): Redis {
    const client = new Redis(this.url, options);
    // a server that a test kills is no error of the client's
    client.on('error', () => undefined);
    this.#clients.add(client);
    return client;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process.kill(signal);
  }

  /** Starts it again on the same port and folder, after ending it properly when it still runs. */
  async restart(): Promise<void> {
    await this.#process.stop();
    this.#process = this.#start();
    await this.ready();
  }

  /** Redis hangs: connections stay open, nothing is answered. */
  pause(): void {
    this.#process.freeze();
  }

  resume(): void {
    this.#process.thaw();
  }

  /** Its files can grow by so many bytes and no further, as on a disk that is full. */
  fillDisk(roomBytes: number): void {
    const { path } = this.#folder;
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const largest = Math.max(0, ...files.map((entry) => statSync(join(entry.parentPath, entry.name)).size));
    execFileSync('prlimit', ['--pid', String(this.pid), `--fsize=${largest + roomBytes}:unlimited`]);
  }

  emptyDisk(): void {
    execFileSync('prlimit', ['--pid', String(this.pid), '--fsize=unlimited:unlimited']);
  }

  async stop(): Promise<void> {
    this.#forget();
    for (const client of this.#clients) client.disconnect();
    await this.#process.stop();
    this.#folder.remove();
  }

  #start(): TestProcess {
    const { appendonly = false, args = [] } = this.#options;
    const durability = appendonly ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder.path, '--save', ''];
    const server = ['redis-server', ...place, ...durability, ...args];
    const [command = '', ...rest] = this.#options.survivesFullDisk === true ? ['env', '--ignore-signal=XFSZ', ...server] : server;
    return new TestProcess(command, rest, {
      name: `redis-server ${this.port}`,
      unowned: true,
    });
  }
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = new RedisServer(options.port ?? (await freePort()), options);
  await server.ready();
  return server;
}
