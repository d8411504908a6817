import assert from 'node:assert/strict';
import { saslprep } from '../../src/auth/saslprep.ts';

describe('SASLprep', () => {
  it('gives the examples of RFC 4013', () => {
    assert.equal(saslprep('I\u00adX'), 'IX');
    assert.equal(saslprep('user'), 'user');
    assert.equal(saslprep('USER'), 'USER');
    assert.equal(saslprep('\u00aa'), 'a');
    assert.equal(saslprep('\u2168'), 'IX');
    assert.equal(saslprep('\u0007'), null);
  });

  it('makes spaces ASCII and drops what is invisible', () => {
    assert.equal(saslprep('a\u00a0b\u3000c'), 'a b c');
    assert.equal(saslprep('a\u200bb\ufeffc\ufe0f'), 'abc');
    assert.equal(saslprep('cafe\u0301'), 'caf\u00e9');
  });

  it('refuses control, private, unassigned and half characters, marks of direction, tags, and what becomes nothing', () => {
    for (const bad of ['', '\u00ad', 'a\0', 'a\u007f', 'a\u0085', 'a\ue000', 'a\u{10ffff}', 'a\ufdd0', 'a\ud800', 'a\u202e', 'a\u{e0041}', 'a\ufffd', 'a\u2028']) {
      assert.equal(saslprep(bad), null, JSON.stringify(bad));
    }
  });
});
