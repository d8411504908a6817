import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkUsername, editPasswords, passwordLine } from '../../src/auth/password-edit.ts';
import { parsePasswords } from '../../src/auth/password-entries.ts';
import { costOf, decoyOf, makeHash, matches, parseHash } from '../../src/auth/password-hash.ts';
import { refuses } from '../support/codec.ts';
import { temporaryFolder } from '../support/folder.ts';

const quick = { password: 'pencil', costLog2: 10, scramIterations: 4096 };

describe('a password hash', () => {
  it('fits its password and no other', async () => {
    const hash = parseHash(await makeHash(Buffer.from('pencil'), 10))!;
    assert.equal(await matches(hash, Buffer.from('pencil')), true);
    for (const other of ['', 'pencil ', 'Pencil', 'pencil\npencil']) assert.equal(await matches(hash, Buffer.from(other)), false, other);
  });

  it('differs each time', async () => {
    assert.notEqual(await makeHash(Buffer.from('pencil'), 10), await makeHash(Buffer.from('pencil'), 10));
  });

  it('has a decoy that costs the same and fits nothing', async () => {
    const hash = parseHash(await makeHash(Buffer.from('pencil'), 10))!;
    const decoy = decoyOf(hash);
    assert.equal(costOf(decoy), costOf(hash));
    assert.equal(await matches(decoy, Buffer.from('pencil')), false);
  });

  it('is not read when it is of another kind, damaged, or too costly for a node', async () => {
    const good = await makeHash(Buffer.from('pencil'), 10);
    const others = [
      ...['pencil', '', '$', '$6$', '$7$101$AAAA', '$2b$10$N9qo8uLOickgx2ZMRZoMye', '$argon2id$v=19$m=12288,t=3,p=1$c2FsdA==$aGFzaA=='],
      ...[good.replace('ln=10', 'ln=25'), good.replace('ln=10', 'ln=1'), good.replace('p=1', 'p=0'), good.slice(0, -2), `x${good}`],
      `$7$99999999$AAAA$${Buffer.alloc(64).toString('base64')}`,
    ];
    for (const text of others) assert.equal(parseHash(text), null, text);
  });
});

describe('a password file', () => {
  const folder = temporaryFolder('passwords');
  const file = join(folder.path, 'users');
  after(() => {
    folder.remove();
  });

  it('of mosquitto is read', async () => {
    execFileSync('mosquitto_passwd', ['-b', '-c', file, 'anna', 'secret']);
    const salt = Buffer.from('0123456789ab');
    const old = createHash('sha512').update('older').update(salt).digest('base64');
    writeFileSync(file, `${readFileSync(file, 'utf8')}otto:$6$${salt.toString('base64')}$${old}\n`);
    const { users, decoyKey } = parsePasswords(readFileSync(file, 'utf8'), file);
    assert.equal(decoyKey, null);
    assert.equal(await matches(users.get('anna')!.hash!, Buffer.from('secret')), true);
    assert.equal(await matches(users.get('anna')!.hash!, Buffer.from('Secret')), false);
    assert.equal(await matches(users.get('otto')!.hash!, Buffer.from('older')), true);
  });

  it('that cannot be understood is refused with every line that is wrong, and nothing of what is in it', () => {
    const text = ['# comment', '', 'anna:hunter2', 'no colon', ':$6$x', 'a:b:c:d'].join('\n');
    refuses('config-invalid', /^users: line 3 has a hash of no known kind .*; line 4 is not name:hash; line 5 is not name:hash; line 6 is not/, () => parsePasswords(text, 'users'));
    assert.throws(() => parsePasswords(text, 'users'), (error: Error) => !error.message.includes('hunter2'));
  });

  it('names no user twice', async () => {
    const line = await passwordLine('anna', quick);
    refuses('config-invalid', /line 2 names a user of an earlier line/, () => parsePasswords(`${line}\n${line}\n`, 'users'));
    refuses('config-invalid', /the same kind of secret twice/, () => parsePasswords(`${line.split(':').slice(0, 2).join(':')}:${line.split(':')[1]!}`, 'users'));
  });

  it('is made readable by its owner only, and edited line by line', async () => {
    const fresh = join(folder.path, 'fresh');
    assert.equal(await editPasswords(fresh, 'anna', await passwordLine('anna', quick)), true);
    assert.equal(statSync(fresh).mode & 0o777, 0o600);
    writeFileSync(fresh, `${readFileSync(fresh, 'utf8')}# kept\n`);
    chmodSync(fresh, 0o640);
    await editPasswords(fresh, 'otto', await passwordLine('otto', { ...quick, scramIterations: 0 }));
    const before = parsePasswords(readFileSync(fresh, 'utf8'), fresh);
    await editPasswords(fresh, 'anna', await passwordLine('anna', { ...quick, password: 'other' }));
    const { users, decoyKey } = parsePasswords(readFileSync(fresh, 'utf8'), fresh);
    assert.deepEqual(decoyKey, before.decoyKey);
    assert.equal(decoyKey!.length, 32);
    assert.deepEqual(users.get('otto'), before.users.get('otto'));
    assert.equal(users.get('otto')!.verifier, null);
    assert.equal(await matches(users.get('anna')!.hash!, Buffer.from('other')), true);
    assert.match(readFileSync(fresh, 'utf8'), /\n# kept\n/);
    assert.equal(statSync(fresh).mode & 0o777, 0o640);
    assert.equal(await editPasswords(fresh, 'anna', null), true);
    assert.equal(await editPasswords(fresh, 'anna', null), false);
    assert.deepEqual([...parsePasswords(readFileSync(fresh, 'utf8'), fresh).users.keys()], ['otto']);
    assert.equal(existsSync(`${fresh}.new`), false);
  });

  it('behind a link is edited where it is', async () => {
    const link = join(folder.path, 'link');
    writeFileSync(file, '');
    symlinkSync(file, link);
    await editPasswords(link, 'anna', await passwordLine('anna', quick));
    assert.equal(parsePasswords(readFileSync(file, 'utf8'), file).users.size, 1);
  });

  it('is not edited by two at once, nor when it cannot be understood', async () => {
    writeFileSync(file, 'anna:hunter2\n');
    await assert.rejects(editPasswords(file, 'otto', 'otto:x'), /line 1 has a hash of no known kind/);
    assert.equal(readFileSync(file, 'utf8'), 'anna:hunter2\n');
    writeFileSync(`${file}.new`, '');
    await assert.rejects(editPasswords(file, 'otto', 'otto:x'), /another edit is under way/);
    assert.equal(existsSync(`${file}.new`), true);
  });

  it('has no user without a name, with a colon or with what nobody sees in it', () => {
    for (const bad of ['', 'a:b', '#a', 'a\nb', '\u200b']) refuses('config-invalid', /is no user name/, () => checkUsername(bad));
    assert.equal(checkUsername('caf\u00e9 \u2168'), 'caf\u00e9 IX');
  });
});
