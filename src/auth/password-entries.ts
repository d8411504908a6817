import { BrokerError } from '../base/errors.ts';
import { readBase64 } from './base64.ts';
import { parseHash, type PasswordHash } from './password-hash.ts';
import { isVerifier, parseVerifier, type ScramVerifier } from './scram-verifier.ts';

/** One user of a password file. */
export interface PasswordEntry {
  readonly username: string;
  readonly hash: PasswordHash | null;
  readonly verifier: ScramVerifier | null;
}

export interface PasswordEntries {
  readonly users: ReadonlyMap<string, PasswordEntry>;
  /** from which the salts of unknown users are made; null when the file has none, as those of mosquitto */
  readonly decoyKey: Buffer | null;
}

export const decoyKeyLine = '# decoy-key: ';

/**
 * Reads a password file: `name:hash`, or `name:hash:verifier` with a verifier for SCRAM, one user a line; `#` begins a comment.
 *
 * Throws `config-invalid` that names every line that cannot be read, never what is in it.
 */
export function parsePasswords(text: string, file: string): PasswordEntries {
  const users = new Map<string, PasswordEntry>();
  const faults: string[] = [];
  let decoyKey: Buffer | null = null;
  text.split('\n').forEach((raw, i) => {
    const line = raw.replace(/\r$/, '');
    if (line.startsWith(decoyKeyLine)) decoyKey = readBase64(line.slice(decoyKeyLine.length).trim());
    if (line === '' || line.startsWith('#')) return;
    const entry = parseEntry(line);
    if (typeof entry === 'string') faults.push(`line ${i + 1} ${entry}`);
    else if (users.has(entry.username)) faults.push(`line ${i + 1} names a user of an earlier line`);
    else users.set(entry.username, entry);
  });
  if (faults.length > 0) {
    const shown = faults.length > 10 ? [...faults.slice(0, 10), `${faults.length - 10} more`] : faults;
    throw new BrokerError('config-invalid', `${file}: ${shown.join('; ')}. Make it again with: swarmq passwd ${file} USER`);
  }
  return { users, decoyKey };
}

function parseEntry(line: string): PasswordEntry | string {
  const [username = '', ...secrets] = line.split(':');
  if (username === '' || secrets.length === 0 || secrets.length > 2) return 'is not name:hash';
  let hash: PasswordHash | null = null;
  let verifier: ScramVerifier | null = null;
  for (const secret of secrets) {
    if (isVerifier(secret) ? verifier !== null : hash !== null) return 'has the same kind of secret twice';
    if (isVerifier(secret)) verifier = parseVerifier(secret);
    else hash = parseHash(secret);
    if (isVerifier(secret) ? verifier === null : hash === null) return 'has a hash of no known kind (known: $scrypt$, $scram-sha-256$, and $6$ and $7$ of mosquitto)';
  }
  return { username, hash, verifier };
}
