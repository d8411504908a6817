import { Message, noBytes } from '../../src/base/message.ts';
import { encodeRecord } from '../../src/codec/record.ts';
import type { OutboxRef } from '../../src/store/outboxes.ts';
import type { Store } from '../../src/store/store.ts';

/** A message of a car, as its client `car-<n>` published it. */
export function carMessage(car: number, text: string, at = Date.now()): Message {
  return new Message(`vehicles/car-${car}/telemetry`, Buffer.from(text), 1, false, noBytes, 0, at, `car-${car}`);
}

/** Puts messages into an outbox in one commit, as the engine does. */
export async function feed(store: Store, outbox: OutboxRef, rule: string, messages: readonly Message[]): Promise<void> {
  await feedRaw(store, outbox, rule, messages.map(encodeRecord));
}

export function feedRaw(store: Store, outbox: OutboxRef, rule: string, records: readonly Buffer[]): Promise<void> {
  const batch = store.begin();
  for (const record of records) store.outboxes.push(batch, outbox, rule, record);
  return new Promise((resolve, reject) => {
    batch.commit((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** The values in the order of their first appearance, which is what the bridge promises. */
export function firsts(values: readonly string[]): string[] {
  return [...new Set(values)];
}
