import { Client } from './client.ts';
import { Histogram } from './histogram.ts';
import { encodeRetained } from './packets.ts';
import type { Load, LoadResult, RetainedPlan, Target } from './plan.ts';
import { microsBetween, microsNow, Stopwatch } from './stopwatch.ts';

const publishers = 10;
const window = 200;
/** Topics are `bench/site/<site>/device/<n>/state`: a wildcard at the site finds those of one device number. */
const sites = 10;
const warmUpSubscriptions = 100;

/** Very many retained topics, and clients that subscribe one after the other and wait for what is retained. */
export class Retained implements Load {
  readonly #plan: RetainedPlan;
  readonly #target: Target;
  readonly #latency = new Histogram();
  #next = 0;

  constructor(plan: RetainedPlan, target: Target) {
    this.#plan = plan;
    this.#target = target;
  }

  async prepare(): Promise<void> {
    await Promise.all(Array.from({ length: publishers }, (_, index) => this.#store(index)));
    await this.#subscribe(warmUpSubscriptions);
  }

  async measure(): Promise<LoadResult> {
    const { subscriptions } = this.#plan;
    this.#latency.clear();
    const stopwatch = new Stopwatch();
    await this.#subscribe(subscriptions);
    return {
      units: subscriptions,
      seconds: stopwatch.seconds(),
      p50Micros: this.#latency.quantile(0.5),
      p99Micros: this.#latency.quantile(0.99),
      p999Micros: this.#latency.quantile(0.999),
      pacerP99Micros: null,
      loadCpuSeconds: stopwatch.cpuSeconds(),
      faults: { lost: 0, doubled: 0, reordered: 0, misrouted: 0 },
    };
  }

  /** One publisher's share of the topics, a window of them on the way at a time. */
  async #store(publisher: number): Promise<void> {
    const { topics, payloadBytes } = this.#plan;
    let sent = 0;
    let acknowledged = 0;
    const share = topics / publishers;
    await new Promise<void>((resolve, reject) => {
      const send = (client: Client): void => {
        const packets: Buffer[] = [];
        for (; sent < share && sent - acknowledged < window; sent++) {
          packets.push(encodeRetained(topicOf(sent * publishers + publisher), sent + 1, payloadBytes));
        }
        if (packets.length > 0) client.send(Buffer.concat(packets));
      };
      let client: Client | undefined;
      const role = {
        message: (): void => reject(new Error('a publisher received a message')),
        acknowledged: (): void => {
          acknowledged += 1;
          if (acknowledged === share) resolve(client!.close());
          else if (sent - acknowledged <= window / 2) send(client!);
        },
        dropped: (reason: string): void => reject(new Error(`publisher ${publisher} lost its connection: ${reason}`)),
      };
      Client.open({ ...this.#address(), clientId: `bench-pub-${publisher}`, isClean: true }, role).then((opened) => {
        client = opened;
        send(client);
      }, reject);
    });
  }

  async #subscribe(count: number): Promise<void> {
    const { filter, topics } = this.#plan;
    const devices = topics / sites;
    const expected = filter === 'exact' ? 1 : sites;
    for (let i = 0; i < count; i++) {
      // a large step, so that neighbours in the store are not asked for one after the other
      const device = (this.#next++ * 7919) % devices;
      const name = filter === 'exact' ? topicOf(device * sites) : `bench/site/+/device/${device}/state`;
      await this.#subscribeOnce(name, expected);
    }
  }

  async #subscribeOnce(filter: string, expected: number): Promise<void> {
    let missing = expected;
    let startedAt = 0;
    let client: Client | undefined;
    await new Promise<void>((resolve, reject) => {
      const role = {
        message: (_buffer: Buffer, _payloadAt: number, readAt: number): void => {
          missing -= 1;
          if (missing === 0) {
            this.#latency.record(microsBetween(startedAt, readAt));
            resolve();
          }
        },
        acknowledged: (): void => undefined,
        dropped: (reason: string): void => reject(new Error(`a subscriber lost its connection: ${reason}`)),
      };
      Client.open({ ...this.#address(), clientId: 'bench-sub', isClean: true }, role).then((opened) => {
        client = opened;
        startedAt = microsNow();
        opened.subscribe(filter, 0).catch(reject);
      }, reject);
    });
    await client?.close();
  }

  #address(): { host: string; port: number } {
    return { host: this.#target.host, port: this.#target.ports[0]! };
  }
}

function topicOf(index: number): string {
  return `bench/site/${index % sites}/device/${Math.floor(index / sites)}/state`;
}
