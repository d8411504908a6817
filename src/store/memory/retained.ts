import type { Batch } from '../../base/batch.ts';
import type { Clock } from '../../base/clock.ts';
import type { MemoryBatch } from './batch.ts';
import { Reminders } from './reminders.ts';
import { Level, walk } from './topic-tree.ts';
import type { Retained, RetainedLimits, RetainedSize, RetainedWalk } from '../retained.ts';

const page = { mostSteps: 1000, mostMessages: 100, mostBytes: 256 * 1024 };

/** A tree by topic levels: a wildcard walks only the branches that can match. */
export class MemoryRetained implements Retained {
  readonly #clock: Clock;
  readonly #limits: RetainedLimits;
  readonly #root = new Level();
  readonly #due = new Reminders();
  #messages = 0;
  #bytes = 0;

  constructor(clock: Clock, limits: RetainedLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  put(batch: Batch, topic: string, record: Buffer | null, expiresAt: number): number {
    const isKept = record === null ? this.#remove(topic) : this.#set(topic, record, expiresAt);
    return (batch as MemoryBatch).note(isKept ? 'ok' : 'full');
  }

  outcome(batch: Batch, slot: number): 'ok' | 'full' {
    return (batch as MemoryBatch).results[slot] as 'ok' | 'full';
  }

  async get(topic: string): Promise<Buffer | null> {
    const record = this.#level(topic)?.record ?? null;
    return record === null ? null : Buffer.from(record, 'latin1');
  }

  match(filter: string): RetainedWalk {
    const steps = walk(this.#root, filter.split('/'));
    let isFirst = true;
    let isOver = false;
    return {
      next: async () => {
        if (isOver) return null;
        if (!isFirst) await new Promise(setImmediate);
        isFirst = false;
        const records: Buffer[] = [];
        let bytes = 0;
        for (let i = 0; i < page.mostSteps && records.length < page.mostMessages && bytes < page.mostBytes; i++) {
          const step = steps.next();
          if (step.done === true) {
            isOver = true;
            break;
          }
          if (step.value === null) continue;
          records.push(Buffer.from(step.value, 'latin1'));
          bytes += step.value.length;
        }
        return records;
      },
    };
  }

  async expire(count: number): Promise<number> {
    const topics = this.#due.until(this.#clock.now(), count);
    for (const topic of topics) this.#remove(topic);
    return topics.length;
  }

  async measure(): Promise<RetainedSize> {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  #level(topic: string): Level | undefined {
    let level: Level | undefined = this.#root;
    for (const name of topic.split('/')) level = level?.child(name);
    return level;
  }

  /** False: refused. */
  #set(topic: string, record: Buffer, expiresAt: number): boolean {
    const before = this.#level(topic)?.record ?? null;
    const { maxMessages, maxBytes } = this.#limits;
    if (before === null && (this.#messages >= maxMessages || this.#bytes + record.length > maxBytes)) return false;
    let level = this.#root;
    for (const name of topic.split('/')) level = level.grow(name);
    level.record = record.toString('latin1');
    this.#messages += before === null ? 1 : 0;
    this.#bytes += record.length - (before?.length ?? 0);
    if (expiresAt === 0) this.#due.remove(topic);
    else this.#due.set(topic, expiresAt);
    return true;
  }

  #remove(topic: string): true {
    this.#due.remove(topic);
    const names = topic.split('/');
    const path = [this.#root];
    for (const name of names) {
      const child = path.at(-1)!.child(name);
      if (child === undefined) return true;
      path.push(child);
    }
    const last = path.at(-1)!;
    if (last.record === null) return true;
    this.#messages--;
    this.#bytes -= last.record.length;
    last.record = null;
    for (let i = names.length; i > 0 && path[i]!.isEmpty; i--) path[i - 1]!.cut(names[i - 1]!);
    return true;
  }
}
