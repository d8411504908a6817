import { randomBytes } from 'node:crypto';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { BrokerError } from '../base/errors.ts';
import { decoyKeyLine, parsePasswords } from './password-entries.ts';
import { makeHash } from './password-hash.ts';
import { saslprep } from './saslprep.ts';
import { formatVerifier, makeVerifier } from './scram-verifier.ts';

export interface NewPassword {
  readonly password: string;
  /** of scrypt: 2 to this power */
  readonly costLog2: number;
  /** 0: no verifier, the user cannot use SCRAM */
  readonly scramIterations: number;
}

/** The name as it stands in a password file. Throws `config-invalid` for one that cannot stand there. */
export function checkUsername(username: string): string {
  const prepared = saslprep(username);
  if (prepared === null || /^#|:/.test(prepared)) {
    throw new BrokerError('config-invalid', `${JSON.stringify(username)} is no user name: it may hold no colon and no invisible characters, and not begin with #`);
  }
  return prepared;
}

/** The line of one user. Throws `config-invalid` for a password that cannot be used. */
export async function passwordLine(username: string, { password, costLog2, scramIterations }: NewPassword): Promise<string> {
  if (password === '') throw new BrokerError('config-invalid', 'the password is empty');
  const secrets = [username, await makeHash(Buffer.from(password), costLog2)];
  if (scramIterations > 0) {
    const verifier = await makeVerifier(password, scramIterations);
    if (verifier === null) throw new BrokerError('config-invalid', 'the password has characters that SCRAM does not allow: choose another, or give --no-scram');
    secrets.push(formatVerifier(verifier));
  }
  return secrets.join(':');
}

/**
 * Changes the line of one user, null to remove it, in one step: readers see the file before or after. Other lines, comments too,
 * stay as they are. A file that is not there is made, readable by its owner only. False: there was no such user to remove.
 *
 * Rejects with `config-invalid` when the file cannot be understood, or is being edited by another process.
 */
export async function editPasswords(file: string, username: string, line: string | null): Promise<boolean> {
  const target = await realpath(file).catch(() => file);
  const draft = `${target}.new`;
  const handle = await open(draft, 'wx', 0o600).catch((error: unknown) => {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const why = isThere ? 'is there already: another edit is under way, or was cut off; remove it then' : `cannot be made: ${String(error)}`;
    throw new BrokerError('config-invalid', `${draft} ${why}`, error);
  });
  try {
    const before = await readFile(target, 'utf8').catch(ifMissing);
    if (before !== null) parsePasswords(before, file);
    const lines = before === null ? newFile() : before.replace(/\n$/, '').split('\n');
    const at = lines.findIndex((text) => text.startsWith(`${username}:`));
    if (line === null && at < 0) return false;
    if (line === null) lines.splice(at, 1);
    else lines.splice(at < 0 ? lines.length : at, 1, line);
    await handle.writeFile(`${lines.join('\n')}\n`);
    await handle.sync();
    if (before !== null) await keepOwner(handle, target);
    await rename(draft, target);
    return true;
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
}

function newFile(): string[] {
  return ['# users of Swarmq: change them with swarmq passwd', `${decoyKeyLine}${randomBytes(32).toString('base64')}`];
}

async function keepOwner(draft: { chmod(mode: number): Promise<void>; chown(uid: number, gid: number): Promise<void> }, target: string): Promise<void> {
  const { mode, uid, gid } = await stat(target);
  await draft.chmod(mode & 0o777);
  // only root may give files away; whoever else edits it owns it
  await draft.chown(uid, gid).catch(() => undefined);
}

function ifMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}
