import { BrokerError } from '../../base/errors.ts';
import { answer } from '../../redis/script.ts';
import type { Reply } from '../../redis/batch.ts';
import type { EndedSession, Owned, StoredSubscription } from '../sessions.ts';

/** Replies of Redis in our words. What has another form is `store-corrupt`: somebody else wrote under our keys. */

export function bytesOf(reply: Reply | undefined): Buffer {
  if (reply instanceof Buffer) return reply;
  throw corrupt('a text', reply);
}

export function textOf(reply: Reply | undefined): string {
  return bytesOf(reply).toString();
}

export function numberOf(reply: Reply | undefined): number {
  const value = reply instanceof Buffer ? Number(reply.toString()) : reply;
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  throw corrupt('a number', reply);
}

export function listOf(reply: Reply | undefined): Reply[] {
  if (Array.isArray(reply)) return reply;
  throw corrupt('a list', reply);
}

/** Of a script that gives `ok` or `fenced` and nothing else. */
export function ownedOf(reply: Reply): Owned {
  const { word } = answer(reply);
  if (word === 'ok' || word === 'fenced') return word;
  throw corrupt('ok or fenced', reply);
}

export function subscriptionsOf(reply: Reply | undefined): StoredSubscription[] {
  return endedOf(reply).subscriptions as StoredSubscription[];
}

/** Of the hash that keeps what is left to tidy up. No filter begins with U+0000: those fields are the script's own. */
export function endedOf(reply: Reply | undefined): EndedSession {
  const pairs = listOf(reply);
  const subscriptions: StoredSubscription[] = [];
  let will: Buffer | null = null;
  for (let i = 0; i < pairs.length; i += 2) {
    const filter = textOf(pairs[i]);
    const value = bytesOf(pairs[i + 1]);
    if (filter === '\0will') will = value;
    else if (!filter.startsWith('\0')) subscriptions.push({ filter, options: value });
  }
  return { subscriptions, will };
}

export function corrupt(expected: string, reply: Reply | undefined): BrokerError {
  if (reply instanceof Error) return new BrokerError('store-corrupt', `Redis refused a command: ${reply.message}`, reply);
  const found = reply instanceof Buffer ? reply.toString('latin1') : JSON.stringify(reply);
  return new BrokerError('store-corrupt', `Redis answered ${String(found).slice(0, 100)}: ${expected} was expected`);
}
