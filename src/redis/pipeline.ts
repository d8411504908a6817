import type { Redis } from 'ioredis';
import { backoffMs } from '../base/backoff.ts';
import { monotonicMs } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { encodeParts, type Encoded, type RawCommand, type RawConnection, type RedisBatch, type Reply } from './batch.ts';
import { renew } from './connection.ts';
import { isDemotion, isPassing, isRefusal, closedError } from './refusal.ts';
import { Whole } from './whole.ts';

export interface PipelineOptions {
  readonly commandTimeoutMs: number;
  /** how many replicas must have a batch before it is done, and how long they are waited for at a time */
  readonly waitReplicas: number;
  readonly waitTimeoutMs: number;
  readonly log: Logger;
  /** what Redis said when it took nothing */
  readonly onRefused: (error: Error) => void;
  /** scripts are unknown on this connection's server */
  readonly onUnknownScripts: () => void;
}

type Done = (error: Error | null) => void;

/** A batch on its way: its place among all, the slots that are still to be carried out (null: all), and whom to tell. */
interface Sending {
  readonly order: number;
  readonly batch: RedisBatch;
  readonly slots: number[] | null;
  readonly done: Done;
}

const retry = { firstMs: 10, mostMs: 500 };
/** So long after Redis refused something, or came close to it, batches go as a whole. */
const waryMs = 60_000;

/**
 * Batches on one connection, one after the other, for as long as it takes: what Redis could not take waits, in the order in
 * which it was committed.
 *
 * While Redis refuses what it is told, or may do so at any moment, a batch is one transaction, so that a message that was refused
 * is not overtaken by one that was not. Otherwise it is none: that would cost Redis a tenth more for each command.
 *
 * With replicas to wait for, each batch ends with WAIT. Too few of them: it is asked again, until there are enough or the
 * connection ends. In that case nobody knows what the next primary has, so the whole batch is sent to it.
 */
export class Pipeline {
  readonly #redis: Redis;
  readonly #options: PipelineOptions;
  readonly #wait: Encoded;
  /** batches that Redis could not take yet, in the order in which they were committed */
  readonly #waiting: Sending[] = [];
  #retryTimer: NodeJS.Timeout | undefined;
  #retries = 0;
  #committed = 0;
  #isClosed = false;
  #waryUntil = -Infinity;
  /** how long the last batch took, in ms */
  lastBatchMs = 0;

  constructor(redis: Redis, options: PipelineOptions) {
    this.#redis = redis;
    this.#options = options;
    this.#wait = encodeParts(3, 'WAIT', String(options.waitReplicas), String(options.waitTimeoutMs));
    redis.on('ready', () => {
      this.#goOn();
    });
  }

  send(batch: RedisBatch, done: Done, isFirst = false): void {
    if (this.#isClosed) {
      done(closedError());
      return;
    }
    const sending = { order: isFirst ? -1 : this.#committed++, batch, slots: null, done };
    if ((this.#waiting.length > 0 && !isFirst) || !this.#canWrite()) this.#hold(sending);
    else this.#write(sending);
  }

  /** Redis may begin to refuse at any moment. */
  beWary(): void {
    this.#waryUntil = monotonicMs() + waryMs;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    for (const { done } of this.#waiting.splice(0)) done(closedError());
  }

  get #raw(): RawConnection {
    return this.#redis as unknown as RawConnection;
  }

  #canWrite(): boolean {
    const { status, stream } = this.#raw;
    return status === 'ready' && stream.writable;
  }

  #hold(sending: Sending): void {
    if (this.#isClosed) {
      sending.done(closedError());
      return;
    }
    // one that was in flight may come back after a later one that found the connection broken
    const behind = this.#waiting.findLastIndex((other) => other.order < sending.order);
    this.#waiting.splice(behind + 1, 0, sending);
    this.#retryTimer ??= setTimeout(() => {
      this.#goOn();
    }, backoffMs(retry, ++this.#retries));
  }

  /** Sends what waits, in the order in which it was committed, so that messages keep theirs over an outage. */
  #goOn(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    const waiting = this.#waiting.splice(0);
    for (const sending of waiting) {
      if (this.#waiting.length > 0 || !this.#canWrite()) this.#hold(sending);
      else this.#write(sending);
    }
  }

  #write(sending: Sending): void {
    const { order, batch, slots, done } = sending;
    const { waitReplicas } = this.#options;
    const failed: number[] = [];
    let answered = 0;
    let scriptsUnknown = false;
    const began = monotonicMs();
    const settle = (slot: number, reply: Reply): void => {
      if (!(reply instanceof Error)) {
        batch.settle(slot, reply);
      } else if (isPassing(reply)) {
        fail(slot, reply);
      } else {
        // Nothing that waiting would mend (a foreign value under our key, say): the reader of the slot decides.
        this.#options.log.error({ error: reply.message }, 'Redis refused a command');
        batch.settle(slot, reply);
      }
    };
    const fail = (slot: number, error: Error): void => {
      failed.push(slot);
      this.#refused(error);
      if (error.message.startsWith('NOSCRIPT')) scriptsUnknown = true;
    };
    const whole = this.#isWary(began) ? new Whole(batch, slots ?? Array.from({ length: batch.size }, (_, slot) => slot), settle, fail) : null;
    const wanted = whole !== null ? whole.wanted : slots === null ? batch.size : slots.length;
    const watchdog = setTimeout(() => {
      this.#options.log.warn({ commands: wanted }, 'Redis did not answer a batch in time: connecting anew');
      renew(this.#redis);
    }, this.#options.commandTimeoutMs);
    const finish = (): void => {
      this.lastBatchMs = monotonicMs() - began;
      if (failed.length === 0) {
        this.#retries = 0;
        done(null);
        return;
      }
      if (scriptsUnknown) this.#options.onUnknownScripts();
      this.#hold({ order, batch, slots: failed.sort((a, b) => a - b), done });
    };
    const take = (reply: Reply): void => {
      if (whole !== null) whole.take(reply, isPassing);
      else settle(slots === null ? answered : slots[answered]!, reply);
      if (++answered < wanted) return;
      clearTimeout(watchdog);
      if (waitReplicas === 0) finish();
    };
    // One object stands for every command of the batch: the client library calls it once for each reply, in order.
    const command: RawCommand = { name: 'evalsha', args: [], resolve: take, reject: take };
    const item = { command, select: 0 };
    const { commandQueue, stream } = this.#raw;
    for (let i = 0; i < wanted; i++) commandQueue.push(item);
    if (whole !== null) whole.writeTo(stream);
    else batch.writeTo(stream, slots);
    if (waitReplicas === 0) return;
    this.#askReplicas(finish, () => {
      this.#hold({ order, batch, slots: null, done });
    });
  }

  /** Asks until enough replicas have all that was written on this connection, or the connection is no more. */
  #askReplicas(have: () => void, lost: () => void): void {
    const { waitReplicas, waitTimeoutMs, commandTimeoutMs } = this.#options;
    const watchdog = setTimeout(() => {
      renew(this.#redis);
    }, waitTimeoutMs + commandTimeoutMs);
    const settle = (reply: Reply): void => {
      clearTimeout(watchdog);
      if (reply instanceof Error) this.#refused(reply);
      if (typeof reply === 'number' && reply >= waitReplicas) {
        have();
      } else if (typeof reply === 'number' && this.#canWrite()) {
        this.#options.onRefused(new Error(`NOREPLICAS ${reply} of ${waitReplicas} replicas have the commit`));
        this.#askReplicas(have, lost);
      } else {
        lost();
      }
    };
    const { commandQueue, stream } = this.#raw;
    commandQueue.push({ command: { name: 'wait', args: [], resolve: settle, reject: settle }, select: 0 });
    stream.write(this.#wait.bytes);
  }

  #isWary(now: number): boolean {
    return now < this.#waryUntil;
  }

  #refused(error: Error): void {
    if (isRefusal(error)) this.beWary();
    this.#options.onRefused(error);
    // found anew, the primary is another server
    if (isDemotion(error)) renew(this.#redis);
  }
}
