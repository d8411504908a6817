import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { sysTopics } from '../../src/engine/sys-table.ts';

describe('docs/sys-topics.md', () => {
  const page = readFileSync(new URL('../../docs/sys-topics.md', import.meta.url), 'utf8');

  it('lists every topic that a node tells at the interval, with what it says, and no other', () => {
    const listed = [...page.matchAll(/^\| `(\$SYS\/[^`]*)` \| (.*) \|$/gm)].map(([, topic, text]) => `${topic}: ${text}`);
    const told = sysTopics.map(({ topic, text }) => `${topic}: ${text}`);
    assert.deepEqual(listed.filter((line) => !line.includes('${clientid}')), told);
  });

  it('has no topic twice', () => {
    assert.equal(new Set(sysTopics.map(({ topic }) => topic)).size, sysTopics.length);
  });
});
