import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { BrokerError } from '../base/errors.ts';
import { readBase64 } from './base64.ts';
import type { Exchange, Step } from './exchange.ts';
import type { RefusalReason } from './refusals.ts';
import { saslprep } from './saslprep.ts';
import { digestBytes, hmac, type ScramVerifier } from './scram-verifier.ts';

export const scramMethod = 'SCRAM-SHA-256';

/** Longer ones are refused: nothing in them needs the room. */
const maxMessageBytes = 4096;
const nonceBytes = 18;

export interface ScramUsers {
  /** The verifier of this user; for an unknown one, a decoy that no password fits. */
  find(username: string): { readonly verifier: ScramVerifier; readonly isKnown: boolean };
}

interface ClientFirst {
  /** with the comma at its end; comes back in the second message */
  readonly gs2Header: string;
  readonly bare: string;
  readonly username: string;
  readonly nonce: string;
}

/**
 * The server's side of SCRAM-SHA-256 [RFC 5802, RFC 7677], for one client.
 *
 *   first   waits for the client's name and nonce; answers with salt, iterations and the longer nonce
 *   final   waits for the client's proof; answers with the server's own
 *   over    answered, or refused
 *
 * Channel binding is not offered: a client that demands it (`p`) is refused, one that would have liked it (`y`) is served.
 * A name that nobody has goes through the same steps at the same cost, and is refused at the end like a wrong proof.
 */
export class ScramExchange implements Exchange {
  readonly #users: ScramUsers;
  readonly #refuse: (reason: RefusalReason, username: string) => BrokerError;
  readonly #ownNonce: string;
  #state: 'first' | 'final' | 'over' = 'first';
  #first!: ClientFirst;
  #serverFirst = '';

  constructor(users: ScramUsers, refuse: (reason: RefusalReason, username: string) => BrokerError, ownNonce = randomBytes(nonceBytes).toString('base64')) {
    this.#users = users;
    this.#refuse = refuse;
    this.#ownNonce = ownNonce;
  }

  step(data: Buffer | null): Step {
    const state = this.#state;
    this.#state = 'over';
    if (data === null || data.length > maxMessageBytes) {
      throw malformed(data === null ? 'authentication data is missing' : `the message is longer than ${maxMessageBytes} bytes`);
    }
    if (state === 'over') throw malformed('the exchange is over');
    return state === 'first' ? this.#challenge(readText(data)) : this.#conclude(readText(data));
  }

  #challenge(message: string): Step {
    this.#first = readClientFirst(message, (username) => this.#refuse('scram-channel-binding', username));
    const { username, nonce } = this.#first;
    const { verifier } = this.#users.find(username);
    this.#serverFirst = `r=${nonce}${this.#ownNonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`;
    this.#state = 'final';
    return { data: Buffer.from(this.#serverFirst), identity: null };
  }

  #conclude(message: string): Step {
    const { gs2Header, bare, username, nonce } = this.#first;
    const final = readClientFinal(message);
    if (final.binding !== Buffer.from(gs2Header).toString('base64')) throw this.#refuse('scram-channel-binding', username);
    if (final.nonce !== nonce + this.#ownNonce) throw this.#refuse('scram-wrong-nonce', username);
    // looked up again: the user may have been removed since
    const { verifier, isKnown } = this.#users.find(username);
    const authMessage = `${bare},${this.#serverFirst},${final.withoutProof}`;
    const signature = hmac(verifier.storedKey, authMessage);
    const clientKey = Buffer.alloc(digestBytes);
    for (let i = 0; i < digestBytes; i++) clientKey[i] = (final.proof[i] ?? 0) ^ (signature[i] ?? 0);
    const isProven = timingSafeEqual(createHash('sha256').update(clientKey).digest(), verifier.storedKey);
    const ownSignature = hmac(verifier.serverKey, authMessage);
    if (!isKnown) throw this.#refuse('scram-unknown-user', username);
    if (!isProven) throw this.#refuse('scram-wrong-proof', username);
    return { data: Buffer.from(`v=${ownSignature.toString('base64')}`), identity: { username } };
  }
}

/** gs2-header client-first-message-bare [RFC 5802, 7]. */
function readClientFirst(message: string, bindingRefused: (username: string) => BrokerError): ClientFirst {
  const [flag = '', authzid = '', ...attributes] = message.split(',');
  const [name = '', nonce = ''] = attributes;
  if (name.startsWith('m=')) throw malformed('the client demands an extension that is not known here (m=)');
  if (!/^(n|y|p=[A-Za-z0-9.-]+)$/.test(flag)) throw malformed('the message does not begin with n, y or p=');
  if (!/^(a=.+)?$/.test(authzid)) throw malformed('the second part is neither empty nor a=name');
  if (!name.startsWith('n=')) throw malformed('the user name (n=) is missing');
  if (!/^r=[\x21-\x7e]+$/.test(nonce)) throw malformed('the nonce (r=) is missing or not printable');
  checkExtensions(attributes.slice(2));
  const username = readName(name.slice(2));
  if (flag.startsWith('p')) throw bindingRefused(username);
  if (authzid !== '' && readName(authzid.slice(2)) !== username) throw malformed('to act as another user (a=) is not offered');
  const gs2Header = `${flag},${authzid},`;
  return { gs2Header, bare: message.slice(gs2Header.length), username, nonce: nonce.slice(2) };
}

/** channel-binding nonce proof [RFC 5802, 7]. */
function readClientFinal(message: string): { binding: string; nonce: string; proof: Buffer; withoutProof: string } {
  const attributes = message.split(',');
  const [binding = '', nonce = ''] = attributes;
  const last = attributes.at(-1) ?? '';
  if (!binding.startsWith('c=')) throw malformed('the channel binding (c=) is missing');
  if (!nonce.startsWith('r=')) throw malformed('the nonce (r=) is missing');
  if (attributes.length < 3 || !last.startsWith('p=')) throw malformed('the proof (p=) is missing');
  checkExtensions(attributes.slice(2, -1));
  const proof = readBase64(last.slice(2));
  if (proof?.length !== digestBytes) throw malformed(`the proof (p=) is not Base64 of ${digestBytes} bytes`);
  return { binding: binding.slice(2), nonce: nonce.slice(2), proof, withoutProof: message.slice(0, -last.length - 1) };
}

/** Extensions that are not known are passed over [RFC 5802, 7]. */
function checkExtensions(attributes: readonly string[]): void {
  if (!attributes.every((attribute) => /^[A-Za-z]=./.test(attribute))) throw malformed('what follows the nonce is no extension');
}

/** A saslname: `=2C` and `=3D` stand for comma and equals sign. */
function readName(encoded: string): string {
  if (/=(?!2C|3D)/.test(encoded)) throw malformed('the user name has an = that is not =2C or =3D');
  const name = saslprep(encoded.replaceAll('=2C', ',').replaceAll('=3D', '='));
  if (name === null) throw malformed('the user name is empty or has a character that SASLprep prohibits');
  return name;
}

function readText(data: Buffer): string {
  const text = data.toString('utf8');
  if (text.includes('\0') || !Buffer.from(text).equals(data)) throw malformed('the message is no UTF-8 text');
  return text;
}

function malformed(what: string): BrokerError {
  return new BrokerError('protocol-error', `${scramMethod}: ${what} [RFC 5802, 7]`);
}
