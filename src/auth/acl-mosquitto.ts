import { filterFault } from './filter-fault.ts';
import { anyQos, type NameTest, type Rule } from './rule.ts';

const accesses = ['read', 'write', 'readwrite', 'deny'] as const;

type Access = (typeof accesses)[number];

export function isMosquittoLine(line: string): boolean {
  return /^(user|topic|pattern)\s/.test(line);
}

/**
 * The access list of mosquitto, line by line: `user NAME`, `topic [ACCESS] FILTER` for the user above it, or for anonymous clients
 * before any, `pattern [ACCESS] FILTER` with `%c` and `%u` for everyone.
 *
 * Mosquitto looks at a user's own lines before the patterns, and at what denies before what allows; so that is the order of the rules.
 */
export class MosquittoReader {
  #user: NameTest = 'none';
  readonly #own: Rule[] = [];
  readonly #patterns: Rule[] = [];

  /** Takes one line; gives what is wrong with it, or null. */
  read(line: string): string | null {
    const [, keyword = '', rest = ''] = /^(\S+)\s+(.+)$/.exec(line) ?? [];
    if (keyword === 'user') {
      this.#user = { pattern: rest };
      return rest.includes('*') ? 'has a user name with *, which would stand for any text' : null;
    }
    if (keyword !== 'topic' && keyword !== 'pattern') return 'begins neither with user, topic nor pattern, as the lines of mosquitto do';
    const [, word = '', tail] = /^(\S+)\s+(.+)$/.exec(rest) ?? [];
    const isPattern = keyword === 'pattern';
    if (tail !== undefined && !isAccess(word)) return `has an access that is not ${accesses.join(', ')}`;
    const access = tail !== undefined && isAccess(word) ? word : 'readwrite';
    const written = tail ?? rest;
    if (!isPattern && written.includes('${')) return 'has ${, which would be a placeholder';
    const filter = isPattern ? written.replaceAll('%c', '${clientid}').replaceAll('%u', '${username}') : written;
    const fault = filterFault(filter);
    if (fault === null) (isPattern ? this.#patterns : this.#own).push(makeRule(access, isPattern ? 'any' : this.#user, filter));
    return fault;
  }

  rules(): Rule[] {
    return [this.#own, this.#patterns].flatMap((rules) => [...rules.filter(({ allows }) => !allows), ...rules.filter(({ allows }) => allows)]);
  }
}

function makeRule(access: Access, user: NameTest, filter: string): Rule {
  return {
    allows: access !== 'deny',
    user,
    client: 'any',
    publishes: access !== 'read',
    subscribes: access !== 'write',
    qos: anyQos,
    retain: null,
    filter,
  };
}

function isAccess(word: string): word is Access {
  return (accesses as readonly string[]).includes(word);
}
