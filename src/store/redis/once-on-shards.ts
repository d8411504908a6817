import { randomBytes } from 'node:crypto';
import { monotonicMs } from '../../base/clock.ts';
import type { RedisBatch } from '../../redis/batch.ts';
import type { Keys } from '../../redis/keys.ts';
import { answer, Script } from '../../redis/script.ts';
import { bytesOf, numberOf } from './replies.ts';
import type { Once, OnceResult } from '../queues.ts';

const noteIncoming = new Script(new URL('./lua/incoming_note.lua', import.meta.url), {
  keys: ['meta', 'incoming'],
  args: ['epoch', 'packet_id', 'token'],
});
const doneIncoming = new Script(new URL('./lua/incoming_done.lua', import.meta.url), { keys: ['incoming'], args: ['packet_id', 'token'] });
const noteWill = new Script(new URL('./lua/will_note.lua', import.meta.url), { keys: ['meta'], args: ['epoch', 'token'] });
const doneWill = new Script(new URL('./lua/will_done.lua', import.meta.url), { keys: ['meta'], args: ['token'] });
const push = new Script(new URL('./lua/once_push.lua', import.meta.url), {
  keys: ['target', 'tokens'],
  args: ['token', 'make', 'id', 'most', 'field', 'value'],
});

/** One append: the stream, and the arguments that go with it. */
export interface Append {
  readonly target: string;
  readonly make: 0 | 1;
  readonly id: '1-*' | '*';
  readonly most: number;
  readonly field: string;
  readonly value: Buffer;
}

/** After so long between the note and the appends somebody else may have taken the session: it is noted again. */
const freshMs = 500;

/**
 * Something that happens once where no script sees all keys: a will or an incoming QoS 2 message, appended to streams on
 * several servers within one commit.
 *
 * noting     the publisher's session notes a token, or gives the one under which this was begun before
 * appending  each stream takes the value unless it remembers the token
 * closing    the session notes that it is done: from now on nobody begins it again
 * over       the streams forget the token
 *
 * Broken off at any point, it is taken up by whoever serves the publisher next, when the client sends the message again: with
 * the same token, so no stream takes it twice. Each state begins when the answers of the one before are here.
 */
export class OnceOnShards {
  readonly #batch: RedisBatch;
  readonly #keys: Keys;
  readonly #once: Once;
  readonly #appends: readonly Append[];
  #token: string | Buffer = randomBytes(12).toString('base64');
  #notedAt = 0;
  #note = -1;
  #pushes: readonly number[] = [];

  constructor(batch: RedisBatch, keys: Keys, once: Once, appends: readonly Append[]) {
    this.#batch = batch;
    this.#keys = keys;
    this.#once = once;
    this.#appends = appends;
  }

  /** Begins, within the batch. Gives the slot of the note. */
  begin(): number {
    const { clientId, epoch } = this.#once;
    const meta = this.#keys.session(clientId);
    const token = this.#token;
    this.#notedAt = monotonicMs();
    this.#note =
      this.#once.kind === 'will'
        ? noteWill.append(this.#batch, { meta }, { epoch, token })
        : noteIncoming.append(this.#batch, { meta, incoming: this.#keys.incoming(clientId) }, { epoch, packet_id: this.#once.packetId, token });
    this.#batch.afterwards(() => {
      this.#append();
    });
    return this.#note;
  }

  /** What came of it, once the batch is done. */
  get result(): OnceResult {
    const { word } = answer(this.#batch.reply(this.#note));
    if (word === 'seen' || word === 'fenced') return { word };
    const answers = this.#pushes.map((slot) => answer(this.#batch.reply(slot)));
    // appended before, or at the first try of a command whose reply was lost: the number is not known
    if (answers.some((one) => one.word === 'seen')) return { word: 'seen' };
    return { word: 'ok', seqs: answers.map(({ rest }) => numberOf(rest[0])) };
  }

  #append(): void {
    const reply = this.#batch.reply(this.#note);
    // whoever asks for the result is told
    if (reply instanceof Error) return;
    const { word, rest } = answer(reply);
    if (word !== 'noted') return;
    this.#token = bytesOf(rest[0]);
    if (monotonicMs() - this.#notedAt > freshMs) {
      this.begin();
      return;
    }
    const token = this.#token;
    this.#pushes = this.#appends.map(({ target, ...args }) => push.append(this.#batch, { target, tokens: this.#keys.tokens(target) }, { token, ...args }));
    this.#batch.afterwards(() => {
      this.#close();
    });
  }

  #close(): void {
    const { clientId } = this.#once;
    const token = this.#token;
    if (this.#once.kind === 'will') doneWill.append(this.#batch, { meta: this.#keys.session(clientId) }, { token });
    else doneIncoming.append(this.#batch, { incoming: this.#keys.incoming(clientId) }, { packet_id: this.#once.packetId, token });
    this.#batch.afterwards(() => {
      for (const { target } of this.#appends) this.#batch.add('ZREM', this.#keys.tokens(target), token);
    });
  }
}
