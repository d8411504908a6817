import type { Batch } from '../../base/batch.ts';
import type { MemoryBatch } from './batch.ts';
import type { Retained } from '../retained.ts';

/** One level of the tree of topics. */
class Level {
  record: Buffer | null = null;
  readonly children = new Map<string, Level>();
}

const pageMessages = 100;
const pageSteps = 1000;

/** A tree by topic levels: a wildcard walks only the branches that can match. */
export class MemoryRetained implements Retained {
  readonly #root = new Level();
  #count = 0;

  put(batch: Batch, topic: string, record: Buffer | null): void {
    if (record === null) this.#remove(topic);
    // a copy: the record may be a slice of something much larger, which it would keep alive
    else this.#set(topic, Buffer.from(record));
    (batch as MemoryBatch).note('ok');
  }

  async *match(filter: string): AsyncIterable<Buffer[]> {
    let page: Buffer[] = [];
    let steps = 0;
    for (const record of walk(this.#root, filter.split('/'))) {
      if (record !== null) page.push(record);
      if (++steps < pageSteps && page.length < pageMessages) continue;
      yield page;
      page = [];
      steps = 0;
      await new Promise(setImmediate);
    }
    if (page.length > 0) yield page;
  }

  async count(): Promise<number> {
    return this.#count;
  }

  #set(topic: string, record: Buffer): void {
    let level = this.#root;
    for (const name of topic.split('/')) {
      let child = level.children.get(name);
      if (child === undefined) level.children.set(name, (child = new Level()));
      level = child;
    }
    if (level.record === null) this.#count++;
    level.record = record;
  }

  #remove(topic: string): void {
    const names = topic.split('/');
    const path: Level[] = [this.#root];
    for (const name of names) {
      const child = path.at(-1)!.children.get(name);
      if (child === undefined) return;
      path.push(child);
    }
    const last = path.at(-1)!;
    if (last.record === null) return;
    last.record = null;
    this.#count--;
    for (let i = names.length; i > 0 && path[i]!.record === null && path[i]!.children.size === 0; i--) {
      path[i - 1]!.children.delete(names[i - 1]!);
    }
  }
}

/**
 * The records that the filter selects, and null for each step in vain, so that whoever counts steps counts all of them.
 * `a/#` selects `a` itself as well [MQTT 5, 4.7.1.2]; a leading wildcard selects no `$` topics [MQTT-4.7.2-1]. Without
 * recursion: a topic may have more levels than the stack.
 */
function* walk(root: Level, names: readonly string[]): Generator<Buffer | null> {
  const frames: { readonly children: Iterator<[string, Level]>; readonly at: number }[] = [];
  let level: Level | undefined = root;
  let at = 0;
  for (;;) {
    if (level !== undefined) {
      const name = names[at];
      if (name !== undefined && name !== '#' && name !== '+') {
        level = level.children.get(name);
        at++;
        continue;
      }
      if (name === undefined || (name === '#' && level !== root)) yield level.record;
      if (name !== undefined) frames.push({ children: level.children.entries(), at });
    }
    const frame = frames.at(-1);
    if (frame === undefined) return;
    const next = frame.children.next();
    level = undefined;
    if (next.done) {
      frames.pop();
      continue;
    }
    yield null;
    const [name, child]: [string, Level] = next.value;
    if (frame.at === 0 && frames.length === 1 && name.startsWith('$')) continue;
    level = child;
    at = names[frame.at] === '#' ? frame.at : frame.at + 1;
  }
}
