/**
 * One level of the tree of retained topics, with the record of the topic that ends here.
 *
 * Made small, for there is at least one of them for each topic: most levels have no child or one, which needs no map of its own,
 * and a record is a text of one character for each byte, which takes 90 bytes less than a Buffer and keeps nothing else alive.
 */
export class Level {
  record: string | null = null;
  /** the only child there ever was, under its name; or `children` */
  onlyName = '';
  only: Level | null = null;
  children: Map<string, Level> | null = null;

  get isEmpty(): boolean {
    return this.record === null && this.only === null && (this.children === null || this.children.size === 0);
  }

  child(name: string): Level | undefined {
    if (this.children !== null) return this.children.get(name);
    return this.only !== null && this.onlyName === name ? this.only : undefined;
  }

  /** The child of this name, made if need be. */
  grow(name: string): Level {
    const known = this.child(name);
    if (known !== undefined) return known;
    const child = new Level();
    if (this.children !== null) {
      this.children.set(name, child);
    } else if (this.only === null) {
      this.only = child;
      this.onlyName = name;
    } else {
      this.children = new Map([[this.onlyName, this.only], [name, child]]);
      this.only = null;
      this.onlyName = '';
    }
    return child;
  }

  cut(name: string): void {
    if (this.children !== null) this.children.delete(name);
    else if (this.onlyName === name) this.only = null;
  }

  /** Goes on while children come and go; those that stay are each given once. */
  entries(): Iterator<[string, Level]> {
    if (this.children !== null) return this.children.entries();
    const pairs: [string, Level][] = this.only === null ? [] : [[this.onlyName, this.only]];
    return pairs.values();
  }
}

/**
 * The records that the filter selects, and null for each step in vain, so that whoever counts steps counts all of them.
 * `a/#` selects `a` itself as well [MQTT 5, 4.7.1.2]; a leading wildcard selects no `$` topics [MQTT-4.7.2-1]. Without
 * recursion: a topic may have more levels than the stack.
 */
export function* walk(root: Level, names: readonly string[]): Generator<string | null> {
  const frames: { readonly children: Iterator<[string, Level]>; readonly at: number }[] = [];
  let level: Level | undefined = root;
  let at = 0;
  for (;;) {
    if (level !== undefined) {
      const name = names[at];
      if (name !== undefined && name !== '#' && name !== '+') {
        level = level.child(name);
        at++;
        continue;
      }
      if (name === undefined || (name === '#' && level !== root)) yield level.record;
      if (name !== undefined) frames.push({ children: level.entries(), at });
    }
    const frame = frames.at(-1);
    if (frame === undefined) return;
    const next = frame.children.next();
    level = undefined;
    if (next.done === true) {
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
