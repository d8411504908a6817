import { backoffMs, type BackoffTable } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { asBrokerError, BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Complaints } from './complaints.ts';
import type { KafkaClient } from './kafka.ts';
import type { BridgeMeters } from './meters.ts';
import type { Packer, Parcel } from './parcel.ts';
import type { Term } from './term.ts';

export interface ShipperOptions {
  readonly client: KafkaClient;
  readonly packer: Packer;
  readonly clock: Clock;
  readonly meters: BridgeMeters;
  readonly complaints: Complaints;
  readonly log: Logger;
}

const backoff: BackoffTable = { firstMs: 100, mostMs: 5_000 };

/** Brings batches of parcels to Kafka, however long it takes. */
export class Shipper {
  readonly #options: ShipperOptions;

  constructor(options: ShipperOptions) {
    this.#options = options;
  }

  /**
   * Resolves when Kafka has all parcels; those that it refuses by themselves went on as dead letters, or were given up and
   * counted. `meanwhile` is called between attempts. Throws `fenced` when the term is over, or leaves and Kafka is away.
   */
  async ship(term: Term, parcels: readonly Parcel[], meanwhile: () => Promise<void>): Promise<void> {
    const { packer, meters } = this.#options;
    const refusal = await this.#send(term, parcels, meanwhile);
    const [first] = parcels;
    if (refusal === null) {
      for (const { rule, reason } of parcels) (reason === null ? meters.sent.of(rule) : meters.poison.of(reason)).value++;
    } else if (parcels.length > 1) {
      // a batch is refused as a whole: halves find the record in question, and keep the order
      const middle = parcels.length >> 1;
      await this.ship(term, parcels.slice(0, middle), meanwhile);
      await this.ship(term, parcels.slice(middle), meanwhile);
    } else if (first !== undefined) {
      const other = packer.repack(first, refusal);
      if (other !== null) await this.ship(term, [other], meanwhile);
      else meters.dropped.of('poison').value++;
    }
  }

  /** Sends one batch until Kafka has it: null. Or until it says that it will never take it: why. */
  async #send(term: Term, parcels: readonly Parcel[], meanwhile: () => Promise<void>): Promise<BrokerError | null> {
    const { client, clock, meters, complaints, log } = this.#options;
    const records = parcels.map(({ record }) => record);
    for (let failed = 0; ; ) {
      term.expectLead();
      const began = clock.monotonic();
      try {
        await client.connect();
        await client.send(records);
        meters.batchMs.observe(clock.monotonic() - began);
        if (failed > 1) log.info({ attempts: failed + 1 }, 'Kafka takes records again');
        return null;
      } catch (thrown) {
        const error = asBrokerError(thrown);
        if (error.kind === 'refused') return error;
        term.expectLead();
        // a topic that is just being made costs one attempt, which is no news
        complaints.about('kafka', error, ++failed > 1);
      }
      if (!term.isOn) throw new BrokerError('fenced', 'the lead is being given up');
      await meanwhile();
      await term.pause(backoffMs(backoff, failed));
    }
  }
}
