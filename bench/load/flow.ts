import { Client, inParallel } from './client.ts';
import type { Faults } from './ledger.ts';
import type { Messages, Target } from './plan.ts';
import { Publisher, type FlowEvents } from './publisher.ts';
import { copiesOf, filterOf } from './receipts.ts';
import { Arrivals, Subscriber } from './subscriber.ts';

const connectsAtOnce = 64;
const stalledMs = 3000;
const settledPollMs = 5;

/**
 * The publishers and subscribers of one load, and the messages between them.
 *
 * Stopped: nothing is sent; what is on its way may still come. Running, after `start`: publishers to whom something
 * came back get their turn, once per event-loop turn. `stop` ends the sending, `settled` waits for the rest.
 */
export class Flow implements FlowEvents {
  readonly publishers: readonly Publisher[];
  readonly arrivals: Arrivals;
  readonly #messages: Messages;
  readonly #target: Target;
  readonly #subscribers: Client[] = [];
  #returned: Publisher[] = [];
  #onTurn: ((returned: Publisher[]) => void) | undefined;
  #failure: Error | undefined;

  constructor(messages: Messages, window: number, target: Target) {
    this.#messages = messages;
    this.#target = target;
    this.arrivals = new Arrivals(messages);
    this.publishers = Array.from({ length: messages.publishers }, (_, index) => new Publisher(index, messages, window, this));
  }

  get sent(): number {
    return this.#total((publisher) => publisher.sent);
  }

  get acknowledged(): number {
    return this.#messages.qos === 0 ? this.sent : this.#total((publisher) => publisher.acknowledgements);
  }

  async connectPublishers(): Promise<void> {
    const { host, ports } = this.#target;
    await inParallel(this.publishers.length, connectsAtOnce, async (index) => {
      const publisher = this.publishers[index]!;
      const options = { host, port: ports[0]!, clientId: `bench-pub-${index}`, isClean: true };
      publisher.useClient(await Client.open(options, publisher));
    });
  }

  /** Connects every subscriber; subscribes too, unless the sessions are there from an earlier call. */
  async connectSubscribers(session: 'new' | 'stored'): Promise<void> {
    const { host, ports } = this.#target;
    const { qos, isPersistent, subscribers } = this.#messages;
    await inParallel(subscribers, connectsAtOnce, async (index) => {
      const options = { host, port: ports.at(-1)!, clientId: `bench-sub-${index}`, isClean: !isPersistent };
      const client = await Client.open(options, new Subscriber(index, this.arrivals, this.publishers, this));
      this.#subscribers.push(client);
      if (session === 'new') await client.subscribe(filterOf(this.#messages, index), qos);
    });
  }

  async disconnectSubscribers(): Promise<void> {
    await Promise.all(this.#subscribers.splice(0).map((client) => client.close()));
  }

  /** From now on `onTurn` gets, once per event-loop turn, the publishers to whom something came back. */
  start(onTurn: (returned: Publisher[]) => void): void {
    this.#onTurn = onTurn;
  }

  stop(): void {
    this.#onTurn = undefined;
  }

  /**
   * Waits until `isDone`: by default until all that was sent has been received and acknowledged. Gives up when nothing
   * has come back for 3 s: the receipts tell what is missing. Rejects when a client lost its connection.
   */
  async settled(isDone = (): boolean => this.#isAllBack()): Promise<void> {
    let cameBack = -1;
    let movedAtMs = performance.now();
    while (!isDone() && performance.now() - movedAtMs < stalledMs) {
      if (this.#failure !== undefined) break;
      const now = this.#cameBack();
      if (now !== cameBack) movedAtMs = performance.now();
      cameBack = now;
      await new Promise((resolve) => setTimeout(resolve, settledPollMs));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  faults(): Faults {
    return this.arrivals.receipts.faults(this.publishers.map((publisher) => publisher.sent));
  }

  returned(publisher: Publisher): void {
    if (publisher.isListed) return;
    publisher.isListed = true;
    if (this.#returned.push(publisher) === 1) setImmediate(this.#turn);
  }

  dropped(who: string, reason: string): void {
    this.#failure ??= new Error(`${who} lost its connection: ${reason}`);
  }

  readonly #turn = (): void => {
    const returned = this.#returned;
    this.#returned = [];
    for (const publisher of returned) publisher.isListed = false;
    this.#onTurn?.(returned);
  };

  #isAllBack(): boolean {
    const received = this.#total((publisher) => publisher.received);
    return received >= this.sent * copiesOf(this.#messages) && this.acknowledged === this.sent;
  }

  #cameBack(): number {
    return this.#total((publisher) => publisher.received + publisher.acknowledgements);
  }

  #total(countOf: (publisher: Publisher) => number): number {
    return this.publishers.reduce((total, publisher) => total + countOf(publisher), 0);
  }
}
