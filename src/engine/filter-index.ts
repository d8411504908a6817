import { hasWildcard } from '../base/topic.ts';

/** What hangs on one filter: one value by itself, as on nearly every filter of a fleet, or several by their keys. */
type Slot<K, V> = V | Map<K, V>;

/**
 * Filters and what hangs on them, found by topic. A filter has at most one value for each key.
 *
 * Filters without a wildcard stand in one flat map (most of a fleet's filters: one topic for each device); the others in a
 * tree by level. Made small, for a node knows every route of the cluster. Per filter of a million (80 % exact): an array
 * around a single value took 48 B, a map around a single child 216 B a level. A filter that many want is a map by key,
 * since a search in 100,000 values for each further one took minutes.
 */
export class FilterIndex<K, V extends object> {
  readonly #keyOf: (value: V) => K;
  readonly #exact = new Map<string, Slot<K, V>>();
  #root = new Level<K, V>('');
  #size = 0;

  constructor(keyOf: (value: V) => K) {
    this.#keyOf = keyOf;
  }

  /** How many values there are. */
  get size(): number {
    return this.#size;
  }

  /** Hangs a value on the filter, in place of the one with the same key. */
  set(filter: string, value: V): void {
    if (hasWildcard(filter)) {
      let level = this.#root;
      for (const name of filter.split('/')) level = level.make(name);
      level.slot = this.#with(level.slot, value);
    } else {
      this.#exact.set(filter, this.#with(this.#exact.get(filter), value));
    }
  }

  get(filter: string, key: K): V | undefined {
    const slot = hasWildcard(filter) ? this.#pathTo(filter)?.at(-1)!.slot : this.#exact.get(filter);
    if (slot instanceof Map) return slot.get(key);
    return slot !== undefined && this.#keyOf(slot) === key ? slot : undefined;
  }

  /** False when there was no such value. */
  delete(filter: string, key: K): boolean {
    const sizeBefore = this.#size;
    if (hasWildcard(filter)) {
      const path = this.#pathTo(filter);
      if (path === undefined) return false;
      const last = path.at(-1)!;
      last.slot = this.#without(last.slot, key);
      for (let i = path.length - 1; i > 0 && path[i]!.isEmpty; i--) path[i - 1]!.drop(path[i]!);
    } else {
      const slot = this.#exact.get(filter);
      const rest = this.#without(slot, key);
      if (rest === undefined) this.#exact.delete(filter);
      else if (rest !== slot) this.#exact.set(filter, rest);
    }
    return this.#size < sizeBefore;
  }

  /** The values of exactly this filter. */
  at(filter: string): V[] {
    const slot = hasWildcard(filter) ? this.#pathTo(filter)?.at(-1)!.slot : this.#exact.get(filter);
    return slot === undefined ? [] : slot instanceof Map ? [...slot.values()] : [slot];
  }

  /** The values of every filter that matches the topic name [MQTT 5, 4.7]. */
  match(topic: string): V[] {
    const into: V[] = [];
    collect(this.#exact.get(topic), into);
    if (this.#root.children !== null) walk(this.#root, topic, 0, into);
    return into;
  }

  *entries(): IterableIterator<[filter: string, value: V]> {
    for (const [filter, slot] of this.#exact) for (const value of valuesOf(slot)) yield [filter, value];
    yield* entriesUnder(this.#root, '');
  }

  clear(): void {
    this.#exact.clear();
    this.#root = new Level('');
    this.#size = 0;
  }

  #pathTo(filter: string): Level<K, V>[] | undefined {
    const path = [this.#root];
    for (const name of filter.split('/')) {
      const next = path.at(-1)!.child(name);
      if (next === undefined) return undefined;
      path.push(next);
    }
    return path;
  }

  #with(slot: Slot<K, V> | undefined, value: V): Slot<K, V> {
    const key = this.#keyOf(value);
    if (slot === undefined) {
      this.#size++;
      return value;
    }
    if (!(slot instanceof Map)) {
      const standing = this.#keyOf(slot);
      if (standing === key) return value;
      this.#size++;
      return new Map([[standing, slot], [key, value]]);
    }
    if (!slot.has(key)) this.#size++;
    return slot.set(key, value);
  }

  #without(slot: Slot<K, V> | undefined, key: K): Slot<K, V> | undefined {
    if (slot === undefined) return undefined;
    if (!(slot instanceof Map)) {
      if (this.#keyOf(slot) !== key) return slot;
      this.#size--;
      return undefined;
    }
    if (slot.delete(key)) this.#size--;
    return slot.size > 1 ? slot : slot.values().next().value;
  }
}

/** The end of a level in the filters: what hangs there, and the levels that follow: one by itself, or several by name. */
class Level<K, V> {
  readonly name: string;
  slot: Slot<K, V> | undefined = undefined;
  children: Level<K, V> | Map<string, Level<K, V>> | null = null;

  constructor(name: string) {
    this.name = name;
  }

  get isEmpty(): boolean {
    return this.slot === undefined && this.children === null;
  }

  child(name: string): Level<K, V> | undefined {
    const { children } = this;
    if (children instanceof Map) return children.get(name);
    return children !== null && children.name === name ? children : undefined;
  }

  make(name: string): Level<K, V> {
    const standing = this.child(name);
    if (standing !== undefined) return standing;
    const made = new Level<K, V>(ownText(name));
    const { children } = this;
    if (children === null) this.children = made;
    else if (children instanceof Map) children.set(name, made);
    else this.children = new Map([[children.name, children], [name, made]]);
    return made;
  }

  drop(child: Level<K, V>): void {
    const { children } = this;
    if (!(children instanceof Map)) {
      this.children = null;
      return;
    }
    children.delete(child.name);
    if (children.size === 1) this.children = children.values().next().value!;
  }
}

/** Leading wildcards do not match topics that begin with `$` [MQTT-4.7.2-1]. */
function walk<K, V>(level: Level<K, V>, topic: string, from: number, into: V[]): void {
  const slash = topic.indexOf('/', from);
  const name = slash < 0 ? topic.slice(from) : topic.slice(from, slash);
  if (from > 0 || topic.charCodeAt(0) !== dollar) {
    collect(level.child('#')?.slot, into);
    step(level.child('+'), topic, slash, into);
  }
  step(level.child(name), topic, slash, into);
}

function step<K, V>(child: Level<K, V> | undefined, topic: string, slash: number, into: V[]): void {
  if (child === undefined) return;
  if (slash >= 0) {
    if (child.children !== null) walk(child, topic, slash + 1, into);
    return;
  }
  collect(child.slot, into);
  // `a/#` also matches `a` [MQTT 5, 4.7.1.2]
  collect(child.child('#')?.slot, into);
}

function collect<K, V>(slot: Slot<K, V> | undefined, into: V[]): void {
  if (slot instanceof Map) for (const value of slot.values()) into.push(value);
  else if (slot !== undefined) into.push(slot);
}

function valuesOf<K, V>(slot: Slot<K, V>): Iterable<V> {
  return slot instanceof Map ? slot.values() : [slot];
}

function* entriesUnder<K, V>(level: Level<K, V>, prefix: string): IterableIterator<[string, V]> {
  const { children } = level;
  if (children === null) return;
  for (const child of children instanceof Map ? children.values() : [children]) {
    const filter = prefix + child.name;
    if (child.slot !== undefined) for (const value of valuesOf(child.slot)) yield [filter, value];
    yield* entriesUnder(child, filter + '/');
  }
}

const dollar = 0x24;
/** shorter pieces are copied anyway */
const shortestCut = 13;

/** The same text by itself: what is cut out of a longer text keeps that as a whole, which was 40 B for each route. */
export function ownText(text: string): string {
  return text.length < shortestCut ? text : Buffer.from(text).toString();
}
