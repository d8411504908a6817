import type { RedisLink } from '../src/redis/connect.ts';
import { answer, Script } from '../src/redis/script.ts';
import type { Incarnation, Roles } from './cluster.ts';

export const roleHold = new Script(new URL('./lua/role_hold.lua', import.meta.url), {
  keys: ['role', 'tokens'],
  args: ['holder', 'lease_ms'],
});

export const roleResign = new Script(new URL('./lua/role_resign.lua', import.meta.url), {
  keys: ['role'],
  args: ['holder', 'token'],
});

/**
 * The roles of this node's present life. What a former life held lapses with its lease: a new life is another holder.
 */
export class Leader implements Roles {
  readonly #link: RedisLink;
  readonly #holder: () => Incarnation;
  readonly #held = new Map<string, { holder: Incarnation; token: number }>();
  #isRetired = false;

  constructor(link: RedisLink, holder: () => Incarnation) {
    this.#link = link;
    this.#holder = holder;
  }

  async hold(role: string, leaseMs: number): Promise<number | null> {
    if (this.#isRetired) return null;
    const { keys } = this.#link;
    const holder = this.#holder();
    const reply = await roleHold.run(
      this.#link,
      { role: keys.role(role), tokens: keys.roleTokens(role) },
      { holder, lease_ms: leaseMs },
    );
    const { word, rest } = answer(reply);
    if (word !== 'held') {
      this.#held.delete(role);
      return null;
    }
    const token = Number(rest[0]);
    this.#held.set(role, { holder, token });
    if (!this.#isRetired) return token;
    await this.resign(role, token);
    return null;
  }

  async resign(role: string, token: number): Promise<void> {
    const holder = this.#held.get(role)?.holder ?? this.#holder();
    this.#held.delete(role);
    await roleResign.run(this.#link, { role: this.#link.keys.role(role) }, { holder, token });
  }

  /** A role that nobody will hold again: nothing is left of it. */
  async abolish(role: string): Promise<void> {
    this.#held.delete(role);
    await this.#link.command('DEL', this.#link.keys.role(role), this.#link.keys.roleTokens(role));
  }

  /** Gives up every role, and takes none from now on. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    await Promise.all([...this.#held].map(([role, { token }]) => this.resign(role, token)));
  }
}
