import { monotonicMs } from '../../base/clock.ts';
import type { QueueLimit } from '../queues.ts';
import type { QueueLimits } from '../store.ts';

/** After so many numbers a queue is looked at again, whatever was seen before: what others push has sizes of its own. */
const farthest = 4_096;
/** Measuring bytes is dear (up to 0.2 ms of Redis): it is done anew after so long, or so many numbers. */
const measureAgainMs = 1_000;
const measureAgainAfter = 1_024;

/**
 * How far a queue is from its limits, as one node knows it, so that keeping them costs the ordinary message nothing.
 *
 * The numbers of a queue are shared by all who push. A queue that held L messages when its last number was S holds at most
 * L + (N - S) at number N, whoever pushed; and as many bytes more as N - S messages of the largest size have. So after one
 * look no limit can be passed before a push gets a number behind `until`, and each push tells its number anyway. The node
 * whose messages are the largest is the first to look. A queue that was never looked at holds no more than its number.
 *
 * A limit of bytes is turned into one of messages (`most`) by the mean size found, so that whoever keeps it has only to count.
 */
export class QueueBound {
  readonly clientId: string;
  readonly #limits: QueueLimits;
  /** how many messages the queue may hold, of the size they have */
  most: number;
  /** which limit that is */
  limitedBy: QueueLimit = 'messages';
  isFull = false;
  /** the last look: when, at which number, and what was there */
  #lookedAt = -Infinity;
  #lookedLast = 0;
  #length = 0;
  #bytes = 0;
  #measuredAt = -Infinity;
  #measuredLast = 0;
  /** bytes of the largest message since; what others push is taken to be as large */
  #largest = 1;
  #last = 0;
  #until: number;

  constructor(clientId: string, limits: QueueLimits) {
    this.clientId = clientId;
    this.#limits = limits;
    this.most = limits.maxMessages;
    this.#until = Math.min(farthest, this.most);
  }

  /** A message of this size is pushed. */
  pushes(bytes: number): void {
    if (bytes <= this.#largest) return;
    this.#largest = bytes;
    this.#until = Math.min(this.#until, this.#lookedLast + this.#roomOfBytes());
  }

  /** A push got this number. True: it is time to look. */
  passes(seq: number): boolean {
    if (seq > this.#last) this.#last = seq;
    return seq > this.#until;
  }

  /** Whether the last look was so long ago that a full queue may have room again. */
  get isOutdated(): boolean {
    return monotonicMs() - this.#lookedAt >= measureAgainMs;
  }

  /** Whether the next look measures bytes too. */
  get wantsBytes(): boolean {
    return monotonicMs() - this.#measuredAt >= measureAgainMs || this.#last - this.#measuredLast >= measureAgainAfter;
  }

  /** What a look found; `bytes` null when they were not measured. True: it is over a limit that was not known before. */
  looked(length: number, bytes: number | null): boolean {
    const { maxMessages, maxBytes, dropsNewest } = this.#limits;
    const mostBefore = this.most;
    const mean = this.#length === 0 ? this.#largest : this.#bytes / this.#length;
    this.#lookedAt = monotonicMs();
    this.#lookedLast = this.#last;
    this.#length = length;
    this.#bytes = bytes ?? Math.ceil(length * mean);
    if (bytes !== null) {
      this.#measuredAt = this.#lookedAt;
      this.#measuredLast = this.#last;
      // of a short queue most is what Redis sets aside: its mean size says nothing
      const fit = bytes * 2 > maxBytes ? Math.max(1, Math.floor((length * maxBytes) / bytes)) : Infinity;
      this.most = Math.min(maxMessages, fit);
      this.limitedBy = fit < maxMessages ? 'bytes' : 'messages';
    }
    this.#largest = length === 0 ? 1 : Math.ceil(this.#bytes / length);
    this.isFull = length >= this.most;
    // the oldest go in one step for several, where the limit is not narrow
    const slack = dropsNewest ? 0 : Math.min(64, Math.floor(this.most / 64));
    const room = Math.min(this.most - length, this.limitedBy === 'bytes' ? Infinity : this.#roomOfBytes());
    this.#until = this.#last + Math.max(0, Math.min(room + slack, farthest));
    return length > this.most && this.most < mostBefore;
  }

  #roomOfBytes(): number {
    return Math.max(0, Math.floor((this.#limits.maxBytes - this.#bytes) / this.#largest));
  }
}
