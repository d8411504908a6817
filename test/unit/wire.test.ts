import assert from 'node:assert/strict';
import { entryOpening, EntryWriter, readEntry, wireVersion } from '../../cluster/wire.ts';

function write(sender: string, ...frames: string[]): Buffer {
  const entry = new EntryWriter(entryOpening(sender), 5, 0);
  for (const frame of frames) entry.add(Buffer.from(frame), null);
  return Buffer.from(entry.take());
}

function read(value: Buffer): { sender: string; frames: string[] } | string {
  const entry = readEntry(value);
  return typeof entry === 'string' ? entry : { sender: entry.sender, frames: entry.frames.map(String) };
}

describe('wire: one entry of an inbox', () => {
  it('frames are read as they were written, in order', () => {
    assert.deepEqual(read(write('n1#7', 'one', '', 'three')), { sender: 'n1#7', frames: ['one', '', 'three'] });
  });

  it('the layout is fixed: version, sender, number, frames with their lengths', () => {
    assert.equal(write('ab', 'xyz').toString('hex'), '01' + '0002' + '6162' + '000000000005' + '00000003' + '78797a');
  });

  it('an entry without frames is one', () => {
    assert.deepEqual(read(write('n')), { sender: 'n', frames: [] });
  });

  it('head and body are one frame', () => {
    const entry = new EntryWriter(entryOpening('n'), 5, 0);
    entry.add(Buffer.from('head'), Buffer.from('+body'));
    entry.addHead(Buffer.from('large'), 5);
    assert.deepEqual(read(Buffer.concat([entry.take(), Buffer.from('+body')])), { sender: 'n', frames: ['head+body', 'large+body'] });
  });

  it('an entry grows with its frames', () => {
    const frames = Array.from({ length: 500 }, (_, i) => String(i).repeat(i % 40));
    assert.deepEqual(read(write('näme', ...frames)), { sender: 'näme', frames });
  });

  it('a higher version is told apart from garbage', () => {
    const value = write('n', 'x');
    value[0] = wireVersion + 1;
    assert.equal(read(value), 'newer');
    value[0] = 0;
    assert.equal(read(value), 'garbage');
  });

  it('every entry that was cut is garbage, or ends between two frames', () => {
    const value = write('node', 'one', 'two');
    const between = [13, 20, 27];
    for (let length = 0; length < value.length; length++) {
      assert.equal(read(value.subarray(0, length)) === 'garbage', !between.includes(length), `cut to ${length}`);
    }
  });

  it('a length beyond the end is garbage', () => {
    const value = write('n', 'x');
    value.writeUInt32BE(0xffffffff, 10);
    assert.equal(read(value), 'garbage');
  });

  it('random bytes never throw', () => {
    for (let seed = 1; seed < 20_000; seed++) {
      let state = seed;
      const bytes = Buffer.from(Array.from({ length: seed % 40 }, () => (state = (state * 48_271) % 2_147_483_647) & 0xff));
      if (bytes.length > 2) bytes.set([1, 0, seed % 5]);
      read(bytes);
    }
  });
});
