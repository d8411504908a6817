import type { Exchange } from './exchange.ts';
import type { Identity, Visitor } from './identity.ts';

/** One way to know a visitor. Ways are asked in a row; the first one that says yes or no decides. */
export interface Authenticator {
  /** Yes: who it is. No: throws or rejects. Null: not mine, ask the next one. */
  authenticate(visitor: Visitor): Identity | null | Promise<Identity | null>;
  /** Begins an exchange of this method; null when this way does not speak it. */
  exchange(method: string, visitor: Visitor): Exchange | null;
  close(): void;
}
