import { covers, matches, overlap, parseShared } from '../base/topic.ts';
import { anyQos, type Rule } from './rule.ts';
import type { Rules } from './rules.ts';

/** Topics whose decision a client's permit remembers; then it begins again. */
const maxRemembered = 256;

/** Where the rules in force are, and what holds where none of them fits. */
export interface RuleSource {
  readonly rules: Rules;
  readonly allowsByDefault: boolean;
  /** counts the times that a permit began to remember anew, because there were too many topics */
  readonly forgotten?: { value: number };
}

/**
 * What one client may do: the first rule that fits decides. Follows the rules when they change.
 *
 * A subscription is allowed when a rule allows all that it would bring, and denied when a rule denies any of it: a client that may
 * not read `secret/#` cannot subscribe to `#`.
 */
export class Permit {
  readonly #source: RuleSource;
  readonly #clientId: string;
  readonly #username: string | null;
  #compiledFrom: Rules | null = null;
  #publishing: Rule[] = [];
  #subscribing: Rule[] = [];
  /** whether QoS or RETAIN makes a difference to what may be published */
  #isPicky = false;
  /** topic -> decision, by QoS and RETAIN where they make a difference */
  #remembered: Map<string, boolean>[] = [];

  constructor(source: RuleSource, clientId: string, username: string | null) {
    this.#source = source;
    this.#clientId = clientId;
    this.#username = username;
  }

  mayPublish(topic: string, qos: number, retain: boolean): boolean {
    if (this.#compiledFrom !== this.#source.rules) this.#compile();
    const place = this.#isPicky ? 2 * qos + (retain ? 1 : 0) : 0;
    const remembered = (this.#remembered[place] ??= new Map());
    const known = remembered.get(topic);
    if (known !== undefined) return known;
    if (remembered.size >= maxRemembered) {
      remembered.clear();
      if (this.#source.forgotten !== undefined) this.#source.forgotten.value++;
    }
    const decision = this.#decidePublish(topic, qos, retain);
    remembered.set(topic, decision);
    return decision;
  }

  /** `filter`: as in SUBSCRIBE; of a shared subscription what is after its group counts. */
  maySubscribe(filter: string, qos: number): boolean {
    if (this.#compiledFrom !== this.#source.rules) this.#compile();
    const shared = parseShared(filter);
    if (shared === 'invalid') return false;
    const wanted = shared === null ? filter : shared.filter;
    for (const { filter: own, allows, qos: levels } of this.#subscribing) {
      if ((levels & (1 << qos)) === 0) continue;
      if (own === null || (allows ? covers(own, wanted) : overlap(own, wanted))) return allows;
    }
    return this.#source.allowsByDefault;
  }

  #decidePublish(topic: string, qos: number, retain: boolean): boolean {
    for (const rule of this.#publishing) {
      if ((rule.qos & (1 << qos)) === 0 || (rule.retain !== null && rule.retain !== retain)) continue;
      if (rule.filter === null || matches(rule.filter, topic)) return rule.allows;
    }
    return this.#source.allowsByDefault;
  }

  #compile(): void {
    this.#compiledFrom = this.#source.rules;
    const own = this.#compiledFrom.of(this.#clientId, this.#username);
    this.#publishing = own.filter(({ publishes }) => publishes);
    this.#subscribing = own.filter(({ subscribes }) => subscribes);
    this.#isPicky = this.#publishing.some(({ qos, retain }) => qos !== anyQos || retain !== null);
    this.#remembered = [];
  }
}
