import assert from 'node:assert/strict';
import { BrokerError } from '../../src/base/errors.ts';
import { answer, checkScript } from '../../src/redis/script.ts';

const source = `--[[
queue_push: append one packet.

KEYS  meta queue
ARGV  epoch packets...

GIVES ok depth | fenced
]]
local meta, queue = KEYS[1], KEYS[2]
local epoch = ARGV[1]

return { 'ok', #ARGV, meta, queue, epoch }
`;
const names = { keys: ['meta', 'queue'], args: ['epoch', 'packets...'] };

function refuses(text: string, what: RegExp, declared = names): void {
  assert.throws(
    () => {
      checkScript('queue_push', text, declared);
    },
    (error) => error instanceof BrokerError && error.code === 'script-mismatch' && what.test(error.message),
  );
}

describe('redis script loader', () => {
  it('accepts a script whose header, names and declaration agree', () => {
    checkScript('queue_push', source, names);
  });

  it('refuses a script without a header', () => {
    refuses(source.slice(5), /does not begin with a header/);
  });

  it('refuses a header that names another script', () => {
    refuses(source.replace('queue_push:', 'queue_pop:'), /must begin with "queue_push: "/);
  });

  it('refuses a header that does not say what it gives', () => {
    refuses(source.replace('GIVES ', 'gives '), /no GIVES/);
  });

  it('refuses a declaration that differs from the header', () => {
    refuses(source, /KEYS meta queue, the declaration meta/, { ...names, keys: ['meta'] });
    refuses(source, /the declaration packets\.\.\. epoch/, { ...names, args: ['packets...', 'epoch'] });
    refuses(source.replace('ARGV  epoch packets...\n', ''), /ARGV/);
  });

  it('refuses names that are bound to other places than the header says', () => {
    refuses(source.replace('KEYS[1], KEYS[2]', 'KEYS[2], KEYS[1]'), /"local meta, queue = KEYS\[1\], KEYS\[2\]" is missing/);
    refuses(source.replace('local epoch', 'local token'), /"local epoch = ARGV\[1\]" is missing/);
  });

  it('refuses a script that reads keys or arguments by number elsewhere', () => {
    refuses(source.replace('#ARGV', 'ARGV[2]'), /give it a name/);
  });

  it('an answer is a word and the rest', () => {
    assert.deepEqual(answer([Buffer.from('ok'), 7]), { word: 'ok', rest: [7] });
  });

  it('an answer that is no list of a word is store-corrupt', () => {
    for (const reply of [null, 7, [], [7], Buffer.from('ok')]) {
      assert.throws(() => answer(reply), (error) => error instanceof BrokerError && error.code === 'store-corrupt');
    }
  });
});
