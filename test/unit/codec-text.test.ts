import assert from 'node:assert/strict';
import { checkText, putText, readText, textAt, utf8Bytes } from '../../src/codec/text.ts';
import { bytes, refuses } from '../support/codec.ts';

const good: [string, string][] = [
  ['nothing', ''],
  ['ASCII with control characters', '01 1f 7f 41'],
  ['two, three and four bytes', 'c3 a9 e2 82 ac f0 9f 9a 97'],
  ['the first and last of each length', 'c2 80 df bf e0 a0 80 ef bf bf f0 90 80 80 f4 8f bf bf'],
  ['the characters beside the surrogates', 'ed 9f bf ee 80 80'],
  ['a byte order mark in front and inside', 'ef bb bf 41 ef bb bf'],
  ['non-characters', 'ef b7 90 ef bf be'],
];

const bad: [string, string][] = [
  ['U+0000', '41 00 42'],
  ['U+0000 after other text', 'c3 a9 00'],
  ['U+0000 as two bytes', 'c0 80'],
  ['overlong in two bytes', 'c1 bf'],
  ['overlong in three bytes', 'e0 9f bf'],
  ['overlong in four bytes', 'f0 8f bf bf'],
  ['the first surrogate', 'ed a0 80'],
  ['the last surrogate', 'ed bf bf'],
  ['a pair of surrogates', 'ed a0 bd ed b8 80'],
  ['beyond U+10FFFF', 'f4 90 80 80'],
  ['a lead byte of five', 'f8 88 80 80 80'],
  ['a lone continuation', '41 80'],
  ['cut off after one', 'c3'],
  ['cut off after two', 'e2 82'],
  ['cut off after three', 'f0 9f 9a'],
  ['cut off by ASCII', 'e2 82 41'],
  ['ff', 'ff'],
];

describe('codec: text', () => {
  for (const [title, hex] of good) {
    it(`${title} is text`, () => {
      const inside = Buffer.concat([bytes('ff'), bytes(hex), bytes('ff')]);
      const text = readText(inside, 1, inside.length - 1, 'X', 'field');
      checkText(inside, 1, inside.length - 1, 'X', 'field');
      assert.deepEqual(Buffer.from(text), bytes(hex));
      assert.equal(utf8Bytes(text), bytes(hex).length);
      const target = Buffer.alloc(inside.length);
      assert.equal(putText(target, 1, text, utf8Bytes(text)), inside.length - 1);
      assert.deepEqual(target.subarray(1, -1), bytes(hex));
    });
  }

  for (const [title, hex] of bad) {
    it(`${title} is none`, () => {
      for (const text of [bytes(hex), Buffer.concat([bytes("'abc'"), bytes(hex), bytes("'abc'")])]) {
        refuses('invalid-utf8', /X: field/, () => readText(text, 0, text.length, 'X', 'field'));
        refuses('invalid-utf8', /X: field/, () => checkText(text, 0, text.length, 'X', 'field'));
        assert.equal(textAt(text, 0, text.length), null);
      }
    });
  }

  it('a character that is cut off is not completed by the bytes behind the field', () => {
    const text = bytes('c3 a9');
    refuses('invalid-utf8', /field/, () => readText(text, 0, 1, 'X', 'field'));
  });
});
