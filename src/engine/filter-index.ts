/**
 * Filters and what hangs on them, found by topic.
 *
 * Filters without a wildcard stand in one flat map (most of a fleet's filters: one topic for each device); the others in a
 * tree by level. Values of one filter are kept in a small array, since most filters have one.
 */
export class FilterIndex<T> {
  readonly #exact = new Map<string, T[]>();
  readonly #root = new Level<T>();
  #size = 0;

  /** How many values there are. */
  get size(): number {
    return this.#size;
  }

  add(filter: string, value: T): void {
    this.#size++;
    if (!isWild(filter)) {
      const values = this.#exact.get(filter);
      if (values === undefined) this.#exact.set(filter, [value]);
      else values.push(value);
      return;
    }
    let level = this.#root;
    for (const name of filter.split('/')) level = level.make(name);
    (level.values ??= []).push(value);
  }

  /** Removes the first value of the filter for which `is` says yes; gives it. */
  remove(filter: string, is: (value: T) => boolean): T | undefined {
    if (!isWild(filter)) {
      const values = this.#exact.get(filter);
      const removed = values && take(values, is);
      if (values?.length === 0) this.#exact.delete(filter);
      if (removed !== undefined) this.#size--;
      return removed;
    }
    const path: Level<T>[] = [this.#root];
    const names = filter.split('/');
    for (const name of names) {
      const next = path.at(-1)!.children?.get(name);
      if (next === undefined) return undefined;
      path.push(next);
    }
    const last = path.at(-1)!;
    const removed = last.values === null ? undefined : take(last.values, is);
    if (removed === undefined) return undefined;
    this.#size--;
    if (last.values?.length === 0) last.values = null;
    for (let i = path.length - 1; i > 0 && path[i]!.isEmpty; i--) path[i - 1]!.children!.delete(names[i - 1]!);
    return removed;
  }

  /** The value of exactly this filter for which `is` says yes. */
  find(filter: string, is: (value: T) => boolean): T | undefined {
    if (!isWild(filter)) return this.#exact.get(filter)?.find(is);
    let level: Level<T> | undefined = this.#root;
    for (const name of filter.split('/')) level = level?.children?.get(name);
    return level?.values?.find(is);
  }

  /** Appends the values of every filter that matches the topic name [MQTT 5, 4.7]. */
  match(topic: string, into: T[]): void {
    const exact = this.#exact.get(topic);
    if (exact !== undefined) for (const value of exact) into.push(value);
    if (this.#root.children !== null) walk(this.#root, topic, 0, topic.charCodeAt(0) === 0x24, into);
  }

  *entries(): IterableIterator<[filter: string, value: T]> {
    for (const [filter, values] of this.#exact) for (const value of values) yield [filter, value];
    yield* this.#root.entries('');
  }

  clear(): void {
    this.#exact.clear();
    this.#root.children = null;
    this.#size = 0;
  }
}

class Level<T> {
  children: Map<string, Level<T>> | null = null;
  values: T[] | null = null;

  get isEmpty(): boolean {
    return this.values === null && (this.children === null || this.children.size === 0);
  }

  make(name: string): Level<T> {
    this.children ??= new Map();
    let child = this.children.get(name);
    if (child === undefined) this.children.set(name, (child = new Level()));
    return child;
  }

  *entries(prefix: string): IterableIterator<[string, T]> {
    if (this.children === null) return;
    for (const [name, child] of this.children) {
      const filter = prefix + name;
      if (child.values !== null) for (const value of child.values) yield [filter, value];
      yield* child.entries(filter + '/');
    }
  }
}

/** `isDollar`: leading wildcards do not match topics that begin with `$` [MQTT-4.7.2-1]. */
function walk<T>(level: Level<T>, topic: string, from: number, isDollar: boolean, into: T[]): void {
  const children = level.children!;
  const leading = from === 0 && isDollar;
  const slash = topic.indexOf('/', from);
  const name = slash < 0 ? topic.slice(from) : topic.slice(from, slash);
  if (!leading) {
    collect(children.get('#')?.values, into);
    step(children.get('+'), topic, slash, into);
  }
  step(children.get(name), topic, slash, into);
}

function step<T>(child: Level<T> | undefined, topic: string, slash: number, into: T[]): void {
  if (child === undefined) return;
  if (slash >= 0) {
    if (child.children !== null) walk(child, topic, slash + 1, false, into);
    return;
  }
  collect(child.values, into);
  // `a/#` also matches `a` [MQTT 5, 4.7.1.2]
  collect(child.children?.get('#')?.values, into);
}

function collect<T>(values: T[] | null | undefined, into: T[]): void {
  if (values) for (const value of values) into.push(value);
}

function take<T>(values: T[], is: (value: T) => boolean): T | undefined {
  const at = values.findIndex(is);
  if (at < 0) return undefined;
  const [value] = values.splice(at, 1);
  return value;
}

function isWild(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}
