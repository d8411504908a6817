import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { BrokerError } from '../base/errors.ts';
import type { Arg, RedisBatch, Reply } from './batch.ts';

/**
 * The names of a script's keys and arguments, as its header has them. A name that ends in `...` stands for a list and
 * comes last.
 */
export interface ScriptNames<K extends string, A extends string> {
  readonly keys: readonly K[];
  readonly args: readonly A[];
}

type Named<N extends string> = {
  [P in N as P extends `${string}...` ? never : P]: Arg;
} & {
  [P in N as P extends `${infer L}...` ? L : never]: readonly Arg[];
};

/** What runs a script outside a batch: one promise a call. */
export interface ScriptRunner {
  evalScript(source: string, sha: string, keys: string[], args: Arg[]): Promise<Reply>;
}

/** Scripts made so far, so that each new connection can be told of all of them. */
export const allScripts: Script<string, string>[] = [];

/** Tells the server of all scripts, so that batches need only name them. */
export function loadScripts(redis: Redis): void {
  for (const script of allScripts) redis.call('SCRIPT', 'LOAD', script.source).catch(() => undefined);
}

/**
 * One Lua file: one state transition. The file's header is its signature; header, `local` lines and the names given here
 * are compared when the file is loaded, and a difference stops the process.
 */
export class Script<K extends string, A extends string> {
  readonly name: string;
  readonly source: string;
  readonly sha: string;
  readonly #names: ScriptNames<K, A>;

  constructor(file: URL, names: ScriptNames<K, A>) {
    this.name = file.pathname.slice(file.pathname.lastIndexOf('/') + 1, -'.lua'.length);
    this.source = readFileSync(file, 'utf8');
    this.sha = createHash('sha1').update(this.source).digest('hex');
    this.#names = names;
    checkScript(this.name, this.source, names);
    allScripts.push(this);
  }

  /** Runs the script; the reply is as Redis gave it, words as Buffers. Rejects with `store-unavailable` when Redis is away. */
  run(runner: ScriptRunner, keys: Named<K>, args: Named<A>): Promise<Reply> {
    return runner.evalScript(this.source, this.sha, flatten(this.#names.keys, keys) as string[], flatten(this.#names.args, args));
  }

  /** Appends the call to a batch. Gives the slot of its reply. */
  append(batch: RedisBatch, keys: Named<K>, args: Named<A>): number {
    const keyList = flatten(this.#names.keys, keys);
    const argList = flatten(this.#names.args, args);
    const slot = batch.command(3 + keyList.length + argList.length, keyList[0] as string);
    batch.part('EVALSHA');
    batch.part(this.sha);
    batch.part(keyList.length);
    for (const key of keyList) batch.part(key);
    for (const arg of argList) batch.part(arg);
    return slot;
  }
}

function flatten(names: readonly string[], values: object): Arg[] {
  const flat: Arg[] = [];
  const byName = values as Record<string, Arg | readonly Arg[]>;
  for (const name of names) {
    if (name.endsWith('...')) flat.push(...(byName[name.slice(0, -3)] as readonly Arg[]));
    else flat.push(byName[name] as Arg);
  }
  return flat;
}

/** The first word of a script's answer, and the rest. Scripts answer `{ "word", ... }`. */
export function answer(reply: Reply): { word: string; rest: Reply[] } {
  if (reply instanceof Error) throw reply;
  if (!Array.isArray(reply) || !(reply[0] instanceof Buffer)) {
    throw new BrokerError('store-corrupt', `a script answered ${JSON.stringify(reply)}: a list that begins with a word was expected`);
  }
  return { word: reply[0].toString(), rest: reply.slice(1) };
}

/** Throws `script-mismatch` unless the header, the `local` lines and the declared names agree. */
export function checkScript(name: string, source: string, names: ScriptNames<string, string>): void {
  const fault = (what: string): never => {
    throw new BrokerError('script-mismatch', `${name}.lua: ${what}`);
  };
  const header = /^--\[\[\n([\s\S]*?)\n\]\]\n/.exec(source)?.[1] ?? fault('the file does not begin with a header comment');
  if (!header.startsWith(`${name}: `)) fault(`the header must begin with "${name}: "`);
  if (!/^GIVES +\S/m.test(header)) fault('the header has no GIVES line');
  const body = source.slice(source.indexOf(']]') + 2);
  const locals = new Set<string>();
  for (const [table, declared] of [['KEYS', names.keys], ['ARGV', names.args]] as const) {
    const told = (new RegExp(`^${table} *(.*)$`, 'm').exec(header)?.[1] ?? '').split(' ').filter(Boolean);
    if (told.join(' ') !== declared.join(' ')) fault(`the header says ${table} ${told.join(' ')}, the declaration ${declared.join(' ')}`);
    const single = declared.filter((n) => !n.endsWith('...'));
    if (single.length === 0) continue;
    const line = `local ${single.join(', ')} = ${single.map((_, i) => `${table}[${i + 1}]`).join(', ')}`;
    if (!body.includes(`\n${line}\n`)) fault(`the line "${line}" is missing`);
    locals.add(line);
  }
  for (const line of body.split('\n')) {
    if (/\b(KEYS|ARGV)\[\d+\]/.test(line) && !locals.has(line)) fault(`"${line.trim()}" reads KEYS or ARGV by number: give it a name`);
  }
}
