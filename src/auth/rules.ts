import { fillIn, fits, onlyName, type Rule } from './rule.ts';

interface Numbered {
  readonly rule: Rule;
  readonly number: number;
}

/**
 * The rules of an access list, in order. Those for one user or client by name are found without looking at all the others, so a list may
 * have rules for each of very many devices.
 */
export class Rules {
  readonly #byUser = new Map<string, Numbered[]>();
  readonly #byClient = new Map<string, Numbered[]>();
  readonly #others: Numbered[] = [];
  readonly size: number;

  constructor(rules: readonly Rule[]) {
    this.size = rules.length;
    rules.forEach((rule, number) => {
      const user = onlyName(rule.user);
      const client = onlyName(rule.client);
      if (user !== null) listIn(this.#byUser, user).push({ rule, number });
      else if (client !== null) listIn(this.#byClient, client).push({ rule, number });
      else this.#others.push({ rule, number });
    });
  }

  /**
   * The rules for one client, in order. A name that cannot stand in a filter takes an allowing rule away, and makes a denying one
   * deny every topic: such a client gets less, never more.
   */
  of(clientId: string, username: string | null): Rule[] {
    const own = [...(username === null ? [] : (this.#byUser.get(username) ?? [])), ...(this.#byClient.get(clientId) ?? []), ...this.#others];
    const found: Rule[] = [];
    for (const { rule } of own.sort((a, b) => a.number - b.number)) {
      if (!fits(rule.user, username) || !fits(rule.client, clientId)) continue;
      const filter = rule.filter === null ? null : fillIn(rule.filter, clientId, username);
      if (filter !== null || rule.filter === null || !rule.allows) found.push({ ...rule, filter });
    }
    return found;
  }
}

function listIn(lists: Map<string, Numbered[]>, name: string): Numbered[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}
