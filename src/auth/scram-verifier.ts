import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from './saslprep.ts';
import { readBase64 } from './base64.ts';

/** What a server keeps of a password for SCRAM-SHA-256: enough to check a proof, not enough to give one [RFC 5802, 3]. */
export interface ScramVerifier {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export const digestBytes = 32;
export const saltBytes = 16;

/** Fewer are refused [RFC 7677, 4]. */
export const leastIterations = 4096;
export const mostIterations = 10_000_000;
export const usualIterations = 15_000;

const scheme = '$scram-sha-256$';
const derive = promisify(pbkdf2);

/** Null when the password holds what SCRAM cannot carry. */
export async function makeVerifier(password: string, iterations = usualIterations, salt = randomBytes(saltBytes)): Promise<ScramVerifier | null> {
  const prepared = saslprep(password);
  if (prepared === null) return null;
  const salted = await derive(prepared, salt, iterations, digestBytes, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
  return { salt, iterations, storedKey, serverKey: hmac(salted, 'Server Key') };
}

export function formatVerifier({ salt, iterations, storedKey, serverKey }: ScramVerifier): string {
  return `${scheme}${iterations}$${[salt, storedKey, serverKey].map((bytes) => bytes.toString('base64')).join('$')}`;
}

export function isVerifier(text: string): boolean {
  return text.startsWith(scheme);
}

/** What `formatVerifier` wrote; null for anything else, and for fewer iterations than are safe. */
export function parseVerifier(text: string): ScramVerifier | null {
  if (!isVerifier(text)) return null;
  const [count = '', ...encoded] = text.slice(scheme.length).split('$');
  const [salt, storedKey, serverKey, ...more] = encoded.map(readBase64);
  const iterations = /^\d{1,8}$/.test(count) ? Number(count) : 0;
  if (!salt || !storedKey || !serverKey || more.length > 0) return null;
  if (iterations < leastIterations || iterations > mostIterations || salt.length === 0) return null;
  if (storedKey.length !== digestBytes || serverKey.length !== digestBytes) return null;
  return { salt, iterations, storedKey, serverKey };
}

/**
 * What stands in for a user who is not there, the same for the same name as long as the key is the same, so that nobody can tell
 * one from a user who is. No password fits it.
 */
export function decoyVerifier(key: Buffer, username: string, iterations: number): ScramVerifier {
  const made = (what: string): Buffer => hmac(key, `${what}\0${username}`);
  return { salt: made('salt').subarray(0, saltBytes), iterations, storedKey: made('stored key'), serverKey: made('server key') };
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
