import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** What a client may do otherwise than the standard says. */
export interface ScramManners {
  readonly nonce?: string;
  readonly gs2Header?: string;
  /** changes the second message before it is sent */
  readonly spoil?: (message: string) => string;
}

/**
 * The client's side of SCRAM-SHA-256, written from RFC 5802 and RFC 7677 alone: nothing in it is shared with the server.
 * User name and password must be ASCII.
 */
export class ScramClient {
  readonly #username: string;
  readonly #password: string;
  readonly #manners: ScramManners;
  readonly #nonce: string;
  #authMessage = '';
  #salted: Buffer = Buffer.alloc(0);
  /** what the server asked for */
  salt = '';
  iterations = 0;

  constructor(username: string, password: string, manners: ScramManners = {}) {
    this.#username = username.replaceAll('=', '=3D').replaceAll(',', '=2C');
    this.#password = password;
    this.#manners = manners;
    this.#nonce = manners.nonce ?? randomBytes(18).toString('base64');
  }

  /** client-first-message */
  first(): Buffer {
    return Buffer.from(`${this.#header}${this.#bare}`);
  }

  /** client-final-message, in answer to server-first-message */
  final(challenge: Buffer): Buffer {
    const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(challenge.toString()) ?? [];
    assert.ok(nonce.startsWith(this.#nonce) && nonce.length > this.#nonce.length, `the nonce of ${challenge.toString()} goes on from ours`);
    this.salt = salt;
    this.iterations = Number(iterations);
    const withoutProof = `c=${Buffer.from(this.#header).toString('base64')},r=${nonce}`;
    this.#authMessage = `${this.#bare},${challenge.toString()},${withoutProof}`;
    this.#salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), this.iterations, 32, 'sha256');
    const clientKey = this.#keyed(this.#salted, 'Client Key');
    const signature = this.#keyed(createHash('sha256').update(clientKey).digest(), this.#authMessage);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!));
    const message = `${withoutProof},p=${proof.toString('base64')}`;
    return Buffer.from(this.#manners.spoil?.(message) ?? message);
  }

  /** That the server knows the password too: server-final-message. */
  verify(final: Buffer): void {
    const expected = this.#keyed(this.#keyed(this.#salted, 'Server Key'), this.#authMessage);
    assert.equal(final.toString(), `v=${expected.toString('base64')}`);
  }

  get #header(): string {
    return this.#manners.gs2Header ?? 'n,,';
  }

  get #bare(): string {
    return `n=${this.#username},r=${this.#nonce}`;
  }

  #keyed(key: Buffer, text: string): Buffer {
    return createHmac('sha256', key).update(text).digest();
  }
}
