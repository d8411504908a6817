import type { Batch } from '../base/batch.ts';
import type { Message } from '../base/message.ts';
import { encodeRecord } from '../codec/record.ts';
import type { RetainedSize } from '../store/retained.ts';
import type { Engine } from './engine.ts';

/** A message with RETAIN on its way into the store. */
export interface Retaining {
  readonly message: Message;
  record: Buffer | null;
  /** its slot in the batch that carries it, -1 when nothing is to be read from there, null until it was written */
  retained: number | null;
}

/**
 * Makes the message the retained one of its topic with the batch; an empty one removes it [MQTT-3.3.1-6]. One that is too large
 * is not retained, nor is a new topic over `retained.maxMessages` or `retained.maxBytes`: such a message is delivered all the same,
 * counted, and acknowledged as if nothing had happened. A reason code of failure would tell its publisher that nobody got it.
 */
export function retain(engine: Engine, batch: Batch, retaining: Retaining): void {
  const { message } = retaining;
  if (message.payload.length > engine.config.retained.maxPayloadBytes) {
    engine.count.dropped.of('retained-too-large').value++;
    retaining.retained = -1;
    return;
  }
  const record = message.payload.length === 0 ? null : (retaining.record ??= encodeRecord(message));
  retaining.retained = engine.store.retained.put(batch, message.topic, record, message.expiresAt);
}

/** Reads what came of `retain`, once its batch is committed. */
export function readRetain(engine: Engine, batch: Batch, retaining: Retaining): void {
  const slot = retaining.retained;
  retaining.retained = -1;
  if (slot === null || slot < 0) return;
  try {
    if (engine.store.retained.outcome(batch, slot) === 'ok') return;
    engine.count.dropped.of('retained-full').value++;
    const { maxMessages, maxBytes } = engine.config.retained;
    const reason = `there are ${maxMessages} retained messages or ${maxBytes} bytes of them already (retained.maxMessages, retained.maxBytes)`;
    engine.logLimited('retained-full', reason, 'a message of a new topic is not retained', { topic: retaining.message.topic });
  } catch (error) {
    engine.logLimited('store-corrupt', error, 'a reply of the store cannot be understood', { topic: retaining.message.topic });
  }
}

/** How many retained messages the cluster has, as this node knows: at most a few seconds old. */
export class RetainedMeter {
  readonly #engine: Engine;
  #isAsking = false;
  size: RetainedSize = { messages: 0, bytes: 0 };

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  tick(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#engine.store.retained
      .measure()
      .then((size) => {
        this.size = size;
      })
      // the store is away: the figure stays what it was
      .catch(() => undefined)
      .finally(() => {
        this.#isAsking = false;
      });
  }
}
