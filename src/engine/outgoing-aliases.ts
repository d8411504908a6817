/** In characters. A shorter topic gains nothing, for an alias takes three bytes; longer ones would fill the memory. */
const shortest = 4;
const longest = 1024;

/**
 * The topic aliases that one client is given on one connection, chosen by use [MQTT 5, 3.3.2.3.4]: a topic gets one when it
 * comes for the second time, and gives it up to another when it was not used for a while.
 *
 * Which aliases were used is noted by a mark for each, taken away by a hand that goes round in search of a free one: as good as
 * the order of use here, and without a change of that order for each message. A topic that comes once only is remembered among
 * as many others as there are aliases, so whoever gets very many topics in turn keeps the aliases it has.
 */
export class OutgoingAliases {
  readonly #most: number;
  readonly #aliases = new Map<string, number>();
  /** the topic of each alias, at alias - 1 */
  readonly #topics: string[] = [];
  readonly #isUsed: boolean[] = [];
  readonly #seen = new Set<string>();
  #hand = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** How many are given out. */
  get size(): number {
    return this.#aliases.size;
  }

  /** The alias that the client knows for the topic; else, negative, the one that this message should set for it; 0: none. */
  of(topic: string): number {
    const known = this.#aliases.get(topic);
    if (known !== undefined) {
      this.#isUsed[known - 1] = true;
      return known;
    }
    if (topic.length < shortest || topic.length > longest) return 0;
    if (this.#seen.has(topic)) return -this.#free();
    if (this.#seen.size >= this.#most) this.#seen.clear();
    this.#seen.add(topic);
    return 0;
  }

  /** The message that sets the alias for the topic is on its way. */
  set(topic: string, alias: number): void {
    const former = this.#topics[alias - 1];
    if (former !== undefined) this.#aliases.delete(former);
    this.#seen.delete(topic);
    this.#aliases.set(topic, alias);
    this.#topics[alias - 1] = topic;
    this.#isUsed[alias - 1] = false;
  }

  #free(): number {
    if (this.#topics.length < this.#most) return this.#topics.length + 1;
    while (this.#isUsed[this.#hand] === true) {
      this.#isUsed[this.#hand] = false;
      this.#hand = (this.#hand + 1) % this.#most;
    }
    const free = this.#hand;
    this.#hand = (free + 1) % this.#most;
    return free + 1;
  }
}
