import type { Clock } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';

export interface TokenRequest {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | null;
}

interface Token {
  readonly value: string;
  /** on the monotonic clock: from then on a new one is asked for */
  readonly staleMs: number;
}

const timeoutMs = 10_000;
/** Of a token's life, after which it counts as stale. */
const usedShare = 0.8;
/** Where the answer does not say it. [RFC 6749, 5.1] */
const assumedSeconds = 60;

/** Access tokens by the client credentials grant [RFC 6749, 4.4], each used for most of its life. */
export class TokenSource {
  readonly #request: TokenRequest;
  readonly #clock: Clock;
  #token: Token | null = null;

  constructor(request: TokenRequest, clock: Clock) {
    this.#request = request;
    this.#clock = clock;
  }

  /** Rejects with `kafka-failed` when the server gives none; what it says may stand in the message, the secret never does. */
  async get(): Promise<string> {
    if (this.#token === null || this.#clock.monotonic() >= this.#token.staleMs) this.#token = await this.#ask();
    return this.#token.value;
  }

  async #ask(): Promise<Token> {
    const { url, clientId, clientSecret, scope } = this.#request;
    const began = this.#clock.monotonic();
    const [status, answer] = await post(url, `${formEncoded(clientId)}:${formEncoded(clientSecret)}`, scope);
    const { access_token: value, expires_in: seconds = assumedSeconds, error } = answer;
    if (status !== 200 || typeof value !== 'string' || typeof seconds !== 'number') {
      throw new BrokerError('kafka-failed', `the token server ${url} gave no token: status ${status}${typeof error === 'string' ? `, ${error}` : ''}`);
    }
    return { value, staleMs: began + seconds * 1000 * usedShare };
  }
}

async function post(url: string, credentials: string, scope: string | null): Promise<[number, Record<string, unknown>]> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}`, accept: 'application/json' },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope === null ? {} : { scope }) }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    return [response.status, text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}];
  } catch (error) {
    throw new BrokerError('kafka-failed', `the token server ${url} does not answer: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

/** As names and secrets stand in Basic authentication here. [RFC 6749, 2.3.1] */
function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}
