import assert from 'node:assert/strict';
import { flameGraph, framesOf, hottest, type CpuProfile } from '../../bench/flame.ts';

function node(id: number, functionName: string, children: number[]): CpuProfile['nodes'][number] {
  return { id, callFrame: { functionName, url: functionName.startsWith('(') ? '' : `file:///x/dist/src/engine/${functionName}.js`, lineNumber: 6 }, children };
}

describe('a flame graph', () => {
  const profile: CpuProfile = {
    nodes: [node(1, '(root)', [2, 3]), node(2, '(idle)', []), node(3, 'turn', [4, 5]), node(4, 'write', []), node(5, '', [])],
    startTime: 1000,
    samples: [2, 3, 4, 4, 5, 2],
    timeDeltas: [0, 100, 10, 20, 30, 40],
  };

  it('counts the time of each function with what it called, without idle time', () => {
    const all = framesOf(profile, 0, Infinity);
    assert.equal(all.micros, 100);
    const turn = all.children.get('turn engine/turn.js:7')!;
    assert.equal(turn.micros, 100);
    assert.deepEqual([...turn.children.values()].map(({ name, micros }) => [name, micros]), [['write engine/write.js:7', 50], ['(anonymous) engine/.js:7', 40]]);
    assert.deepEqual(hottest(all, 2), [['write engine/write.js:7', 50], ['(anonymous) engine/.js:7', 40]]);
  });

  it('leaves out what was sampled before or after', () => {
    assert.equal(framesOf(profile, 1110, 1130).micros, 20);
    assert.equal(framesOf(profile, 2000, 3000).micros, 0);
  });

  it('is a picture whose names cannot break it', () => {
    const picture = flameGraph({ name: 'a<b>&"c"', micros: 10, children: new Map() }, 'x < y', 1);
    assert.match(picture, /^<svg [^>]*viewBox[^>]*>/);
    assert.doesNotMatch(picture, /a<b>|x < y/);
  });
});
