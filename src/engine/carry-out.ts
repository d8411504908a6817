import type { Batch } from '../base/batch.ts';
import { BrokerError } from '../base/errors.ts';

/** Commits a batch beside the turn's own; resolves when it is carried out. For rare work, never for messages. */
export function carryOut(batch: Batch): Promise<void> {
  return new Promise((resolve, reject) => {
    batch.commit((error) => {
      if (error === null) resolve();
      else reject(new BrokerError('store-unavailable', error.message, error));
    });
  });
}
