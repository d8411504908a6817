import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { Device, matches, type DeviceOptions } from './device.ts';
import type { Stage } from './stage.ts';

/** A client gives a silent node up after this time, as a client with a short keep-alive does. */
const patienceMs = 3000;
/** By this a node notices clients that went away without a word. */
const keepAliveSeconds = 4;
const sleepMs = 4000;
const mortalEveryMs = 500;
const visitEveryMs = 250;

export interface TrafficOptions {
  /** messages per second of each publisher, in each QoS */
  readonly perSecond: number;
  readonly random: () => number;
}

/**
 * The load of one round, in topics and with client ids of its own: publishers in all QoS with windows, some of what they send
 * retained; persistent subscribers in QoS 1 and 2, one that is away half of the time, one clean; a shared subscription; clients
 * that die and leave a will; clients that come, subscribe, publish and go. All go from node to node when they lose theirs.
 */
export class Traffic {
  readonly ledger = new Ledger();
  readonly publishers: readonly Device[];
  /** subscribers whose sessions outlive every connection */
  readonly keepers: readonly Device[];
  readonly #members: readonly Device[];
  readonly #visitor: Device;
  readonly #mourner: Device;
  readonly #sleeper: Device;
  readonly #stage: Stage;
  readonly #name: string;
  readonly #options: TrafficOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #passing = new Set<Device>();
  #passed = 0;

  constructor(stage: Stage, name: string, options: TrafficOptions) {
    this.#stage = stage;
    this.#name = name;
    this.#options = options;
    const persistent = (id: string, more: Partial<DeviceOptions> = {}): Device => this.#device(id, more);
    const filters = [`load/${name}/#`];
    this.publishers = Array.from({ length: 4 }, (_, n) => persistent(`publisher-${n}`, { version: n % 2 === 0 ? 4 : 5 }));
    const keeper = persistent('keeper-1', { subscribe: { filters, qos: 1 } });
    const strict = persistent('keeper-2', { version: 5, subscribe: { filters, qos: 2 } });
    this.#sleeper = persistent('sleeper', { subscribe: { filters, qos: 2 } });
    this.#mourner = persistent('mourner', { subscribe: { filters: [`wills/${name}/#`], qos: 2 } });
    this.keepers = [keeper, strict, this.#sleeper, this.#mourner];
    this.ledger.subscriber('group', 1, (topic) => matches(filters[0]!, topic), { isShared: true });
    const shared = { filters: [`$share/group-${name}/load/${name}/#`], qos: 1, as: 'group' } as const;
    this.#members = Array.from({ length: 3 }, (_, n) => persistent(`member-${n}`, { subscribe: shared }));
    this.ledger.subscriber('visitor', 2, (topic) => matches(filters[0]!, topic), { mayMiss: true });
    this.#visitor = this.#device('visitor', { clean: true, subscribe: { filters, qos: 2, as: 'visitor' } });
    this.ledger.subscriber('passing', 1, (topic) => topic.startsWith(`passing/${name}/`), { mayMiss: true, isShared: true });
  }

  /** All but those that only pass. */
  get devices(): readonly Device[] {
    return [...this.#persistent, this.#visitor];
  }

  get acknowledged(): number {
    return this.publishers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  /** The longest that a publisher waited for an acknowledgement, in ms. */
  get longestWaitMs(): number {
    return Math.max(...this.publishers.map((publisher) => publisher.longestWaitMs));
  }

  get wills(): number {
    return this.#mourner.arrivals;
  }

  async start(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.ready()));
    for (const publisher of this.publishers) {
      const topic = `load/${this.#name}/${publisher.id}`;
      const targets = ([0, 1, 2] as const).map((qos) => ({ topic: `${topic}/${qos}`, qos }));
      publisher.pump([...targets, { topic: this.#stateOf(publisher), qos: 1, retain: true }], this.#options.perSecond);
    }
    this.#every(2 * sleepMs, () => {
      this.#sleeper.rest();
      this.#sleeper.cut();
      this.#timers.push(setTimeout(() => {
        this.#sleeper.comeBack();
      }, sleepMs));
    });
    this.#every(mortalEveryMs, () => {
      this.#liveAndDie();
    });
    this.#every(visitEveryMs, () => {
      this.#visit();
    });
  }

  /** No more is published; resolves when all that was is acknowledged and has come everywhere. */
  async settle(withinMs: number): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const device of this.#passing) device.leave();
    this.#sleeper.comeBack();
    await Promise.all(this.publishers.map((publisher) => publisher.settle(withinMs)));
    for (const keeper of this.keepers) {
      const state = (): string => (keeper.isConnected ? `connected, ${keeper.connects} connects` : 'not connected');
      await eventually(() => this.ledger.missing(keeper.id) === 0, { withinMs, what: () => `the last ${this.ledger.missing(keeper.id)} messages at ${keeper.id} (${state()})` });
    }
    await eventually(() => this.ledger.missing('group') === 0, { withinMs, what: () => `the last ${this.ledger.missing('group')} messages at the group` });
  }

  /** What is wrong with what came, in words: empty when all is well. */
  async complaints(): Promise<string[]> {
    const found: string[] = [];
    try {
      this.ledger.assertHolds();
    } catch (error) {
      found.push((error as Error).message);
    }
    for (const { id, connects, resumes } of this.#persistent) {
      if (resumes !== connects - 1) found.push(`${id} connected ${connects} times and found its session ${resumes} times`);
    }
    return [...found, ...(await this.#wrongStates())];
  }

  /** Ends every session, so that nothing of the round is left in Redis. */
  async leave(): Promise<void> {
    for (const device of this.devices) device.part();
    const port = this.#stage.portsFrom(0)[0]!;
    for (const { id } of this.#persistent) await (await connectClient(port, { clientId: id, clean: true })).end();
    const tidier = await connectClient(port);
    for (const publisher of this.publishers) await tidier.publish(this.#stateOf(publisher), '', { qos: 1, retain: true });
    await tidier.end();
  }

  get #persistent(): readonly Device[] {
    return [...this.publishers, ...this.keepers, ...this.#members];
  }

  #device(role: string, more: Partial<DeviceOptions>): Device {
    const home = Math.floor(this.#options.random() * this.#stage.places.length);
    return new Device({ id: `${role}-${this.#name}`, ports: () => this.#stage.portsFrom(home), ledger: this.ledger, patienceMs, keepAliveSeconds, ...more });
  }

  #every(ms: number, work: () => void): void {
    this.#timers.push(setInterval(work, ms));
  }

  #stateOf({ id }: Device): string {
    return `state/${this.#name}/${id}`;
  }

  /** One that connects with a will and is gone some time later, with its node or without. */
  #liveAndDie(): void {
    const id = `mortal-${this.#passed++}-${this.#name}`;
    const topic = `wills/${this.#name}/${id}`;
    const will = { topic, payload: Buffer.from(`${id} 0`), qos: 2 as const, retain: false };
    this.ledger.published(id, topic, 0, 2);
    const mortal = this.#device(`mortal-${this.#passed - 1}`, { clean: true, will });
    mortal.rest();
    this.#passing.add(mortal);
    const check = setInterval(() => {
      if (mortal.connects === 0) return;
      clearInterval(check);
      this.ledger.acknowledged(id, topic, 0);
    }, 1);
    this.#timers.push(check);
    this.#timers.push(setTimeout(() => {
      clearInterval(check);
      mortal.leave();
      this.#passing.delete(mortal);
    }, 200 + this.#options.random() * 5000));
  }

  /** One that comes, subscribes, publishes and goes. */
  #visit(): void {
    const filters = [`passing/${this.#name}/#`];
    const role = `passing-${this.#passed++}`;
    const visitor = this.#device(role, { clean: true, subscribe: { filters, qos: 1, as: 'passing' } });
    this.#passing.add(visitor);
    visitor.publish(`passing/${this.#name}/${role}`, 1);
    this.#timers.push(setTimeout(() => {
      visitor.part();
      this.#passing.delete(visitor);
    }, 1000));
  }

  /** The last message of each publisher's retained topic is what a newcomer gets. */
  async #wrongStates(): Promise<string[]> {
    const newcomer = await connectClient(this.#stage.portsFrom(0)[0]!);
    await newcomer.subscribe(`state/${this.#name}/#`);
    const messages = await newcomer.received(this.publishers.length);
    const wrong = this.publishers.flatMap((publisher) => {
      const topic = this.#stateOf(publisher);
      const expected = `${publisher.id} ${publisher.published(topic) - 1}`;
      const seen = messages.find((message) => message.topic === topic)?.text;
      return seen === expected ? [] : [`the retained message of ${topic} is "${seen ?? ''}", the last one published was "${expected}"`];
    });
    await newcomer.end();
    return wrong;
  }
}
