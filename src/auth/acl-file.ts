import { BrokerError } from '../base/errors.ts';
import { isMosquittoLine, MosquittoReader } from './acl-mosquitto.ts';
import { filterFault } from './filter-fault.ts';
import { anyQos, type NameTest, type Rule } from './rule.ts';

/** A name with blanks in it is written in double quotes, as in JSON. */
const condition = /^(user|client|action|qos|retain)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?:\s+|$)/;

/**
 * Reads an access list, one rule a line:
 *
 *     allow|deny [anonymous] [user=PATTERN] [client=PATTERN] [action=publish|subscribe] [qos=0,1,2] [retain=yes|no] [topic FILTER]
 *
 * or the file of mosquitto, told by its first rule. Throws `config-invalid` that names every line that is wrong.
 */
export function parseAcl(text: string, file: string): Rule[] {
  const lines = text.split('\n').map((line, i) => ({ number: i + 1, line: line.trim() })).filter(({ line }) => line !== '' && !line.startsWith('#'));
  const rules: Rule[] = [];
  const faults: string[] = [];
  const mosquitto = lines[0] !== undefined && isMosquittoLine(lines[0].line) ? new MosquittoReader() : null;
  for (const { number, line } of lines) {
    const fault = mosquitto === null ? readRule(line, rules) : mosquitto.read(line);
    if (fault !== null) faults.push(`line ${number} ${fault}`);
  }
  if (faults.length > 0) {
    const shown = faults.length > 10 ? [...faults.slice(0, 10), `${faults.length - 10} more`] : faults;
    throw new BrokerError('config-invalid', `${file}: ${shown.join('; ')}`);
  }
  return mosquitto?.rules() ?? rules;
}

/** Adds the rule of one line; gives what is wrong with it, or null. */
function readRule(line: string, rules: Rule[]): string | null {
  const [, effect, rest = ''] = /^(allow|deny)(?:\s+(.*))?$/.exec(line) ?? [];
  if (effect === undefined) return 'begins neither with allow nor with deny';
  const said = new Map<string, string>();
  let left = rest;
  let filter: string | null = null;
  while (left !== '') {
    const [whole, name = '', value = ''] = condition.exec(left) ?? /^(anonymous)(?:\s+|$)/.exec(left) ?? [];
    if (whole === undefined) {
      const topic = /^topic\s+(.+)$/.exec(left)?.[1];
      if (topic === undefined) return `has an unknown condition at ${JSON.stringify(left.slice(0, 40))}`;
      filter = topic;
      break;
    }
    if (said.has(name)) return `says ${name} twice`;
    const plain = unquoted(value);
    if (plain === null) return `has a broken quotation after ${name}=`;
    said.set(name, plain);
    left = left.slice(whole.length);
  }
  return (filter === null ? null : filterFault(filter)) ?? addRule(effect === 'allow', said, filter, rules);
}

function addRule(allows: boolean, said: ReadonlyMap<string, string>, filter: string | null, rules: Rule[]): string | null {
  if (said.has('anonymous') && said.has('user')) return 'is for anonymous clients and for a user: no client is both';
  const action = said.get('action') ?? 'publish,subscribe';
  if (!/^(publish|subscribe|publish,subscribe)$/.test(action)) return 'has an action that is not publish or subscribe';
  const qos = said.get('qos') ?? '0,1,2';
  if (!/^[012](,[012])*$/.test(qos)) return 'has a qos that is not a list of 0, 1 and 2';
  const retain = said.get('retain') ?? 'any';
  if (!/^(any|yes|no)$/.test(retain)) return 'has a retain that is not yes or no';
  const rule: Rule = {
    allows,
    user: said.has('anonymous') ? 'none' : nameTest(said.get('user')),
    client: nameTest(said.get('client')),
    publishes: action.includes('publish'),
    subscribes: action.includes('subscribe'),
    qos: qos.split(',').reduce((mask, level) => mask | (1 << Number(level)), 0) & anyQos,
    retain: retain === 'any' ? null : retain === 'yes',
    filter,
  };
  rules.push(rule);
  return null;
}

function nameTest(pattern: string | undefined): NameTest {
  return pattern === undefined ? 'any' : { pattern };
}

function unquoted(value: string): string | null {
  if (!value.startsWith('"')) return value;
  try {
    return JSON.parse(value) as string;
  } catch {
    return null;
  }
}
