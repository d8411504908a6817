import type { Redis } from 'ioredis';
import type { RedisHost } from '../base/redis-url.ts';
import { encodeParts, type Arg, type Encoded, type RawCommand, type RawConnection, type RedisBatch, type Reply } from './batch.ts';
import { Confirmation } from './confirmation.ts';
import { openConnection, renew } from './connection.ts';
import { isDemotion, isPassing } from './refusal.ts';
import { loadScripts } from './script.ts';
import { callOn } from './single.ts';
import { forCommands, type WaySettings } from './way.ts';

/** A command that was not carried out, and why. */
export interface Refused {
  readonly slot: number;
  readonly error: Error;
}

const asking = Buffer.from('*1\r\n$6\r\nASKING\r\n');
const isRedirect = /^(MOVED|ASK|TRYAGAIN) /;

/** One primary of a Redis Cluster: a connection for batches and one for everything with a promise. */
export class Shard {
  readonly address: string;
  readonly client: Redis;
  readonly batches: Redis;
  readonly #settings: WaySettings;
  readonly #confirmation: Confirmation;
  readonly #wait: Encoded;

  constructor(host: RedisHost, settings: WaySettings, onLost: () => void) {
    this.address = `${host.host}:${host.port}`;
    this.#settings = settings;
    this.#wait = encodeParts(3, 'WAIT', String(settings.waitReplicas), String(settings.waitTimeoutMs));
    this.client = openConnection(settings, () => host, forCommands(settings));
    this.batches = openConnection(settings, () => host, {});
    this.#confirmation = new Confirmation(this.client, settings);
    this.client.on('ready', () => {
      settings.onAnew(this.client, false);
    });
    this.batches.on('ready', () => {
      loadScripts(this.batches);
      settings.onAnew(this.batches, true);
    });
    for (const redis of [this.client, this.batches]) redis.on('close', onLost);
  }

  get isReady(): boolean {
    return this.batches.status === 'ready' && this.client.status === 'ready';
  }

  /** Carries these commands of a batch out in order; gives those that were not. `isAsked`: they are here before their slot is. */
  exchange(batch: RedisBatch, slots: number[], isAsked: boolean): Promise<Refused[]> {
    const connection = this.batches as unknown as RawConnection;
    if (connection.status !== 'ready' || !connection.stream.writable) return Promise.resolve(slots.map((slot) => ({ slot, error: new Error('Connection is closed') })));
    return new Promise((resolve) => {
      const refused: Refused[] = [];
      const { commandTimeoutMs, waitReplicas, log } = this.#settings;
      const watchdog = setTimeout(() => {
        log.warn({ redis: this.address, commands: slots.length }, 'Redis did not answer a batch in time: connecting anew');
        renew(this.batches);
      }, commandTimeoutMs);
      let answered = 0;
      const settle = (reply: Reply): void => {
        const slot = slots[answered++]!;
        if (reply instanceof Error && (isPassing(reply) || isRedirect.test(reply.message))) {
          refused.push({ slot, error: reply });
        } else {
          if (reply instanceof Error) log.error({ error: reply.message }, 'Redis refused a command');
          batch.settle(slot, reply);
        }
        if (answered < slots.length) return;
        clearTimeout(watchdog);
        if (waitReplicas === 0) resolve(refused);
      };
      const command: RawCommand = { name: 'evalsha', args: [], resolve: settle, reject: settle };
      // what is said before each command that asks has an answer that says nothing
      const ignored: RawCommand = { name: 'asking', args: [], resolve: () => undefined, reject: () => undefined };
      const { commandQueue, stream } = connection;
      if (isAsked) {
        for (const slot of slots) {
          commandQueue.push({ command: ignored, select: 0 });
          commandQueue.push({ command, select: 0 });
          stream.write(asking);
          batch.writeTo(stream, [slot]);
        }
      } else {
        const item = { command, select: 0 };
        for (let i = 0; i < slots.length; i++) commandQueue.push(item);
        batch.writeTo(stream, slots.length === batch.size ? null : slots);
      }
      if (waitReplicas === 0) return;
      this.#askReplicas(connection, (lost) => {
        // nobody knows what the next primary has of what was carried out here
        resolve(lost === null ? refused : slots.map((slot) => ({ slot, error: lost })));
      });
    });
  }

  /** One command; `isKept` as in the way. Rejects with what the client library says. */
  async call(name: string, args: readonly Arg[], isKept: boolean, isAsked: boolean): Promise<Reply> {
    const { life } = this.#confirmation;
    try {
      const reply = isAsked ? await this.#ask(name, args) : await callOn(this.client, name, args);
      if (isKept) await this.#confirmation.confirm(life);
      return reply;
    } catch (error) {
      if (error instanceof Error && (error.message === 'Command timed out' || isDemotion(error))) renew(this.client);
      throw error;
    }
  }

  /** The server has forgotten the scripts. */
  tellScripts(): void {
    loadScripts(this.batches);
  }

  close(): void {
    this.client.disconnect();
    this.batches.disconnect();
  }

  async #ask(name: string, args: readonly Arg[]): Promise<Reply> {
    const pipeline = this.client.pipeline().call('ASKING') as unknown as Record<string, (...args: readonly Arg[]) => { exec(): Promise<[Error | null, Reply][]> }>;
    const [, answer] = await pipeline[`${name.toLowerCase()}Buffer`]!(...args).exec();
    const [error, reply] = answer ?? [new Error('Connection is closed'), null];
    if (error !== null) throw error;
    return reply;
  }

  /** Asks until enough replicas have all that was written here, or the connection is no more. */
  #askReplicas(connection: RawConnection, done: (lost: Error | null) => void): void {
    const { waitReplicas, waitTimeoutMs, commandTimeoutMs, onRefused } = this.#settings;
    const watchdog = setTimeout(() => {
      renew(this.batches);
    }, waitTimeoutMs + commandTimeoutMs);
    const settle = (reply: Reply): void => {
      clearTimeout(watchdog);
      if (typeof reply !== 'number') {
        done(reply instanceof Error ? reply : new Error('Connection is closed'));
      } else if (reply >= waitReplicas) {
        done(null);
      } else if (connection.status !== 'ready' || !connection.stream.writable) {
        done(new Error('Connection is closed'));
      } else {
        onRefused(new Error(`NOREPLICAS ${reply} of ${waitReplicas} replicas of ${this.address} have the commit`));
        this.#askReplicas(connection, done);
      }
    };
    connection.commandQueue.push({ command: { name: 'wait', args: [], resolve: settle, reject: settle }, select: 0 });
    connection.stream.write(this.#wait.bytes);
  }
}
