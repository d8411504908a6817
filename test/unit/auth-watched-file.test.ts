import assert from 'node:assert/strict';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WatchedFile } from '../../src/auth/watched-file.ts';
import { silentLog } from '../../src/base/log.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/folder.ts';

/** What a file means here: its text, unless that is bad. */
function parse(text: string): string {
  if (text.includes('bad')) throw new Error('cannot be understood');
  return text;
}

const patience = { withinMs: 15_000 };

describe('a file that is watched', () => {
  const folder = temporaryFolder('watched');
  after(() => {
    folder.remove();
  });

  it('is taken over when an orchestrator swaps the folder behind its link', async () => {
    const inFolder = (...parts: string[]): string => join(folder.path, ...parts);
    for (const version of ['v1', 'v2']) {
      mkdirSync(inFolder(version));
      writeFileSync(inFolder(version, 'users'), version);
    }
    symlinkSync('v1', inFolder('data'));
    symlinkSync(join('data', 'users'), inFolder('users'));
    const file = await WatchedFile.open(inFolder('users'), parse, silentLog);
    const told: string[] = [];
    file.onChange = (value) => told.push(value);
    assert.equal(file.value, 'v1');
    symlinkSync('v2', inFolder('next'));
    renameSync(inFolder('next'), inFolder('data'));
    await eventually(() => file.value === 'v2', { ...patience, what: 'the second version' });
    assert.deepEqual(told, ['v2']);
    file.close();
  });

  it('keeps what it meant while it cannot be understood, and is stale until it can', async () => {
    const path = join(folder.path, 'text');
    writeFileSync(path, 'one');
    const file = await WatchedFile.open(path, parse, silentLog);
    writeFileSync(path, 'a bad one');
    await eventually(() => file.isStale, { ...patience, what: 'a stale file' });
    assert.equal(file.value, 'one');
    writeFileSync(path, 'three');
    await eventually(() => file.value === 'three' && !file.isStale, { ...patience, what: 'the third one' });
    file.close();
  });

  it('is not read in the middle of its writing', async () => {
    const path = join(folder.path, 'slow');
    writeFileSync(path, 'before');
    const file = await WatchedFile.open(path, parse, silentLog);
    const told: string[] = [];
    file.onChange = (value) => told.push(value);
    let written = '';
    const writer = setInterval(() => {
      written += '+';
      if (written.length <= 20) writeFileSync(path, written);
      else clearInterval(writer);
    }, 100);
    await eventually(() => file.value === '+'.repeat(20), { ...patience, what: 'the whole of it' });
    assert.equal(told.length, 1);
    file.close();
  });

  it('is not opened when it is missing or cannot be understood', async () => {
    const path = join(folder.path, 'bad');
    await assert.rejects(WatchedFile.open(path, parse, silentLog), /cannot be read: .*ENOENT/);
    writeFileSync(path, 'bad');
    await assert.rejects(WatchedFile.open(path, parse, silentLog), /cannot be understood/);
  });
});
