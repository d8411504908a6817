import type { RedisLink } from '../../redis/connect.ts';
import { answer, Script } from '../../redis/script.ts';
import { listOf, textOf } from './replies.ts';
import type { Due } from '../due.ts';

const remind = new Script(new URL('./lua/due_remind.lua', import.meta.url), { keys: ['due'], args: ['client', 'in_ms'] });
/** Of any sorted set of names by time, in ms. */
export const ripe = new Script(new URL('./lua/due_ripe.lua', import.meta.url), { keys: ['due'], args: ['count'] });
const done = new Script(new URL('./lua/due_done.lua', import.meta.url), { keys: ['due'], args: ['client'] });

export class RedisDue implements Due {
  readonly #link: RedisLink;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  async remind(what: 'sessions' | 'wills', clientId: string, inMs: number): Promise<void> {
    await remind.run(this.#link, { due: this.#link.keys.due(what) }, { client: clientId, in_ms: Math.ceil(inMs) });
  }

  async ripe(what: 'sessions' | 'wills', count: number): Promise<string[]> {
    return listOf(answer(await ripe.run(this.#link, { due: this.#link.keys.due(what) }, { count })).rest[0]).map(textOf);
  }

  async done(what: 'sessions' | 'wills', clientId: string): Promise<void> {
    await done.run(this.#link, { due: this.#link.keys.due(what) }, { client: clientId });
  }
}
