import type { Identity } from './identity.ts';

/** What the server says next: a challenge that wants an answer, or, beside an identity, its last word. */
export interface Step {
  readonly data: Buffer | null;
  readonly identity: Identity | null;
}

/**
 * One exchange of enhanced authentication [MQTT 5, 4.12], fed with what the client says, one message at a time.
 *
 * `step` throws or rejects to refuse: `protocol-error` for data that the method does not know, `not-authorized` for a proof that
 * does not hold. After that, and after an identity, the exchange is over.
 */
export interface Exchange {
  step(data: Buffer | null): Step | Promise<Step>;
}
