import assert from 'node:assert/strict';

type Qos = 0 | 1 | 2;

/** A message as a test knows it: the `seq` is the publisher's own count, and it is in the payload. */
export interface Entry {
  readonly publisher: string;
  readonly topic: string;
  readonly seq: number;
}

interface Publication extends Entry {
  readonly qos: Qos;
  /** Its place in the publisher's order. */
  readonly place: number;
  isAcknowledged: boolean;
}

/** What may be asked of a subscriber, where that is less than usual. */
export interface Nature {
  /** It is not always subscribed: what it misses is not lost. */
  readonly mayMiss?: boolean;
  /** It is several clients that share a subscription: no order holds over all of them. */
  readonly isShared?: boolean;
}

interface Subscriber extends Nature {
  readonly qos: Qos;
  readonly wants: (topic: string) => boolean;
  /** How often each message came, in the order of first arrival. */
  readonly arrivals: Map<string, { readonly entry: Entry; count: number }>;
}

export interface Finding extends Entry {
  readonly subscriber: string;
}

export interface Verdict {
  /** Acknowledged to the publisher, and then neither received nor still stored. */
  readonly lost: readonly Finding[];
  /** Received more often than the QoS permits: only QoS 1 may come twice. */
  readonly doubled: readonly Finding[];
  /** First arrivals that came after a later message of the same publisher, topic and QoS. */
  readonly disordered: readonly Finding[];
  /** Received although nobody published it, or by somebody who did not ask for it. */
  readonly foreign: readonly Finding[];
}

export interface Circumstances {
  /** Whether a message that a subscriber has not received waits for it in its queue. */
  readonly stillStored?: (subscriber: string, entry: Entry) => boolean;
}

/**
 * The judge of every test that breaks things: what was promised to publishers is compared with what subscribers got.
 *
 * Record each publication before it is sent, each acknowledgement when it comes, each arrival as it comes. A message
 * that was never acknowledged may arrive or not. A Kafka consumer is a subscriber of QoS 1.
 */
export class Ledger {
  readonly #published = new Map<string, Publication>();
  readonly #subscribers = new Map<string, Subscriber>();

  /** Names a subscriber before its first message: which topics it is to get, and its subscription's QoS. */
  subscriber(name: string, qos: Qos = 1, wants: (topic: string) => boolean = () => true, nature: Nature = {}): void {
    assert.ok(!this.#subscribers.has(name), `the subscriber ${name} is named twice`);
    this.#subscribers.set(name, { ...nature, qos, wants, arrivals: new Map() });
  }

  /** A message is about to be sent. Sending it again after a reconnect is not a new publication. */
  published(publisher: string, topic: string, seq: number, qos: Qos): void {
    const key = keyOf({ publisher, topic, seq });
    if (this.#published.has(key)) return;
    this.#published.set(key, { publisher, topic, seq, qos, place: this.#published.size, isAcknowledged: false });
  }

  /** The publisher got its PUBACK or PUBCOMP. */
  acknowledged(publisher: string, topic: string, seq: number): void {
    const publication = this.#published.get(keyOf({ publisher, topic, seq }));
    assert.ok(publication, `acknowledged but never published: ${publisher} ${topic} ${seq}`);
    publication.isAcknowledged = true;
  }

  received(subscriber: string, publisher: string, topic: string, seq: number): void {
    const { arrivals } = this.#named(subscriber);
    const entry = { publisher, topic, seq };
    const key = keyOf(entry);
    const arrival = arrivals.get(key);
    if (arrival === undefined) arrivals.set(key, { entry, count: 1 });
    else arrival.count++;
  }

  /** How many messages were acknowledged so far. */
  get acknowledgedCount(): number {
    return [...this.#published.values()].filter((publication) => publication.isAcknowledged).length;
  }

  /** Who was named. */
  get subscribers(): readonly string[] {
    return [...this.#subscribers.keys()];
  }

  /** How many acknowledged messages that the subscriber asked for have not reached it yet. */
  missing(subscriber: string): number {
    return this.#lost(subscriber, {}).length;
  }

  verdict(circumstances: Circumstances = {}): Verdict {
    const names = [...this.#subscribers.keys()];
    return {
      lost: names.flatMap((name) => this.#lost(name, circumstances)),
      doubled: names.flatMap((name) => this.#doubled(name)),
      disordered: names.flatMap((name) => this.#disordered(name)),
      foreign: names.flatMap((name) => this.#foreign(name)),
    };
  }

  /** Fails unless all four lists are empty, and shows the first findings of each. */
  assertHolds(circumstances: Circumstances = {}): void {
    const verdict = Object.entries(this.verdict(circumstances)) as [string, readonly Finding[]][];
    const complaints = verdict
      .filter(([, findings]) => findings.length > 0)
      .map(([name, findings]) => `${findings.length} ${name}: ${findings.slice(0, 5).map(describeFinding).join('; ')}`);
    assert.equal(complaints.length, 0, complaints.join('\n'));
  }

  #lost(name: string, { stillStored = () => false }: Circumstances): Finding[] {
    const { qos, wants, arrivals, mayMiss = false } = this.#named(name);
    if (mayMiss) return [];
    return [...this.#published.values()]
      .filter((publication) => publication.isAcknowledged && Math.min(publication.qos, qos) > 0 && wants(publication.topic))
      .filter((publication) => !arrivals.has(keyOf(publication)) && !stillStored(name, publication))
      .map((publication) => finding(name, publication));
  }

  #doubled(name: string): Finding[] {
    const { qos, arrivals } = this.#named(name);
    return [...arrivals]
      .filter(([key, { count }]) => count > 1 && Math.min(this.#published.get(key)?.qos ?? 0, qos) !== 1)
      .map(([, { entry }]) => finding(name, entry));
  }

  #disordered(name: string): Finding[] {
    const { arrivals, isShared = false } = this.#named(name);
    if (isShared) return [];
    const latest = new Map<string, number>();
    const findings: Finding[] = [];
    for (const key of arrivals.keys()) {
      const publication = this.#published.get(key);
      if (publication === undefined) continue;
      const line = `${publication.publisher}\0${publication.topic}\0${publication.qos}`;
      if (publication.place < (latest.get(line) ?? -1)) findings.push(finding(name, publication));
      else latest.set(line, publication.place);
    }
    return findings;
  }

  #foreign(name: string): Finding[] {
    const { wants, arrivals } = this.#named(name);
    return [...arrivals]
      .filter(([key, { entry }]) => !this.#published.has(key) || !wants(entry.topic))
      .map(([, { entry }]) => finding(name, entry));
  }

  #named(name: string): Subscriber {
    const subscriber = this.#subscribers.get(name);
    assert.ok(subscriber, `nobody named the subscriber ${name}`);
    return subscriber;
  }
}

function keyOf({ publisher, topic, seq }: Entry): string {
  return `${publisher}\0${topic}\0${seq}`;
}

function finding(subscriber: string, { publisher, topic, seq }: Entry): Finding {
  return { subscriber, publisher, topic, seq };
}

function describeFinding({ subscriber, publisher, topic, seq }: Finding): string {
  return `${subscriber} <- ${publisher} ${topic} #${seq}`;
}
