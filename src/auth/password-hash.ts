import { createHash, pbkdf2, randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';
import { readBase64 } from './base64.ts';

type Scheme =
  | { readonly name: 'scrypt'; readonly cost: ScryptOptions }
  | { readonly name: 'pbkdf2-sha512'; readonly iterations: number }
  | { readonly name: 'sha512' };

/** A stored password, in a form that does not give it away. */
export interface PasswordHash {
  readonly scheme: Scheme;
  readonly salt: Buffer;
  readonly digest: Buffer;
}

const deriveScrypt = promisify<Buffer, Buffer, number, ScryptOptions, Buffer>(scrypt);
const derivePbkdf2 = promisify(pbkdf2);

/** 32 MB and some 80 ms of one processor for each guess. */
export const usualCostLog2 = 15;
export const leastCostLog2 = 10;
export const mostCostLog2 = 18;
const blocks = { r: 8, p: 1 };
const mostMemoryBytes = 256 * 1024 * 1024;

/** A new hash of a password, with a salt of its own. */
export async function makeHash(password: Buffer, costLog2 = usualCostLog2): Promise<string> {
  const salt = randomBytes(16);
  const { r, p } = blocks;
  const digest = await derive({ name: 'scrypt', cost: scryptCost(costLog2, r, p) }, password, salt, 32);
  return `$scrypt$ln=${costLog2},r=${r},p=${p}$${salt.toString('base64')}$${digest.toString('base64')}`;
}

/**
 * Reads a hash of ours (`$scrypt$`) or of mosquitto's password files (`$7$`: PBKDF2, `$6$`: one round of SHA-512). Null for
 * anything else, and for costs that would stall a node.
 */
export function parseHash(text: string): PasswordHash | null {
  const [empty, name = '', ...fields] = text.split('$');
  const [salt, digest] = fields.slice(-2).map(readBase64);
  const scheme = parseScheme(name, fields.slice(0, -2));
  if (empty !== '' || scheme === null || !salt?.length || digest == null || digest.length < 16) return null;
  if (scheme.name !== 'scrypt' && digest.length !== 64) return null;
  return { scheme, salt, digest };
}

/** Whether it is this password. Slow on purpose, in another thread, except for mosquitto's `$6$`. */
export async function matches({ scheme, salt, digest }: PasswordHash, password: Buffer): Promise<boolean> {
  return timingSafeEqual(await derive(scheme, password, salt, digest.length), digest);
}

/** A hash that costs as much as this one and fits no password. */
export function decoyOf({ scheme, salt, digest }: PasswordHash): PasswordHash {
  return { scheme, salt: randomBytes(salt.length), digest: randomBytes(digest.length) };
}

/** The same for hashes that cost the same. */
export function costOf({ scheme }: PasswordHash): string {
  return JSON.stringify(scheme);
}

/** What stands in for the users of an empty file. */
export const usualHash: PasswordHash = {
  scheme: { name: 'scrypt', cost: scryptCost(usualCostLog2, blocks.r, blocks.p) },
  salt: Buffer.alloc(16),
  digest: Buffer.alloc(32),
};

function parseScheme(name: string, parameters: readonly string[]): Scheme | null {
  const [parameter = '', ...more] = parameters;
  if (more.length > 0) return null;
  if (name === '6') return parameter === '' ? { name: 'sha512' } : null;
  if (name === '7') {
    const iterations = /^\d{1,8}$/.test(parameter) ? Number(parameter) : 0;
    return iterations >= 1 && iterations <= 10_000_000 ? { name: 'pbkdf2-sha512', iterations } : null;
  }
  const cost = name === 'scrypt' ? /^ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})$/.exec(parameter) : null;
  if (cost === null) return null;
  const [log2 = 0, r = 0, p = 0] = cost.slice(1).map(Number);
  const memory = 128 * 2 ** log2 * r * p;
  return log2 >= leastCostLog2 && r >= 1 && p >= 1 && memory <= mostMemoryBytes ? { name: 'scrypt', cost: scryptCost(log2, r, p) } : null;
}

function scryptCost(log2: number, r: number, p: number): ScryptOptions {
  return { N: 2 ** log2, r, p, maxmem: 2 * mostMemoryBytes };
}

async function derive(scheme: Scheme, password: Buffer, salt: Buffer, bytes: number): Promise<Buffer> {
  switch (scheme.name) {
    case 'scrypt':
      return deriveScrypt(password, salt, bytes, scheme.cost);
    case 'pbkdf2-sha512':
      return derivePbkdf2(password, salt, scheme.iterations, bytes, 'sha512');
    case 'sha512':
      return createHash('sha512').update(password).update(salt).digest();
  }
}
