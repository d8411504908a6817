import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parsePasswords } from '../../src/auth/password-entries.ts';
import { matches } from '../../src/auth/password-hash.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/folder.ts';
import { TestProcess } from '../support/process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const start = [process.execPath, '--import', 'tsx', 'src/cli/main.ts', 'passwd'] as const;

describe('swarmq passwd', () => {
  const folder = temporaryFolder('passwd');
  const file = join(folder.path, 'users');
  after(() => {
    folder.remove();
  });

  const passwd = async (args: readonly string[], input = ''): Promise<{ code: number | null; output: string }> => {
    const [command, ...before] = start;
    const run = new TestProcess(command, [...before, ...args], { name: 'swarmq passwd', cwd: root, input });
    const { code } = await run.exited;
    return { code, output: run.output };
  };
  const fits = async (username: string, password: string): Promise<boolean> => {
    const entry = parsePasswords(readFileSync(file, 'utf8'), file).users.get(username);
    return entry !== undefined && matches(entry.hash!, Buffer.from(password));
  };

  it('adds a user, changes one and removes one, with the password from standard input', async () => {
    assert.deepEqual(await passwd([file, 'anna', '--cost', '10'], 'secret\n'), { code: 0, output: `${file}: password of "anna" set\n` });
    assert.equal(await fits('anna', 'secret'), true);
    await passwd([file, 'anna', '--cost', '10', '--no-scram'], ' spaces stay \r\n');
    assert.equal(await fits('anna', ' spaces stay '), true);
    assert.equal(parsePasswords(readFileSync(file, 'utf8'), file).users.get('anna')!.verifier, null);
    assert.deepEqual(await passwd([file, 'anna', '--delete']), { code: 0, output: `${file}: user "anna" removed\n` });
    assert.equal(await fits('anna', ' spaces stay '), false);
    assert.equal((await passwd([file, 'anna', '--delete'])).code, 3);
  });

  it('refuses what is no password or no user name, and changes nothing', async () => {
    const before = readFileSync(file, 'utf8');
    const unfit = [['', 'otto'], ['two\nlines\n', 'otto'], ['x'.repeat(70_000), 'otto'], ['secret', 'a:b'], ['bell\u0007', 'otto']] as const;
    const wrong = [['--cost', '9'], ['--scram-iterations', '4095'], ['a password is no argument']];
    const refused = await Promise.all(unfit.map(([input, user]) => passwd([file, user], input)));
    for (const { code, output } of refused) assert.ok(code === 3 && output.startsWith('swarmq: '), output);
    for (const { code, output } of await Promise.all(wrong.map((args) => passwd([file, 'otto', ...args], 'secret')))) assert.equal(code, 2, output);
    assert.equal(readFileSync(file, 'utf8'), before);
  });

  it('asks twice at a terminal, and shows nothing of what is typed', async () => {
    const terminal = async (...typed: string[]): Promise<string> => {
      const command = [...start, file, 'tina', '--cost', '10'].join(' ');
      const run = new TestProcess('script', ['-qec', command, '/dev/null'], { name: 'swarmq passwd', cwd: root, isTyped: true });
      for (const [i, text] of typed.entries()) {
        await eventually(() => run.output.includes(['Password: ', 'Again: '][i]!), { what: 'a prompt', withinMs: 20_000 });
        run.type(text);
      }
      await run.exited;
      return run.output;
    };
    const output = await terminal('hidxx\u007f\u007fden\r', 'hidden\r');
    assert.match(output, /^Password: \r\nAgain: \r\n.*password of "tina" set/);
    assert.equal(await fits('tina', 'hidden'), true);
    assert.match(await terminal('one\r', 'two\r'), /the two passwords differ: nothing was changed/);
    assert.match(await terminal('one\u0003'), /interrupted: nothing was changed/);
    assert.equal(await fits('tina', 'hidden'), true);
  });
});
