import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settings } from '../../src/config/settings.ts';
import { temporaryFolder } from '../support/folder.ts';
import { startNode } from '../support/node.ts';
import { freePort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';

/** The table "What is bounded" of the page about one node. */
function bounds(): { what: string; bound: string; policy: string; metrics: string[] }[] {
  const page = readFileSync(new URL('../../src/README.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('## What is bounded')).split('\n## ')[0]!;
  const rows = table.split('\n').filter((line) => line.startsWith('| ')).slice(1);
  return rows.map((row) => {
    const [what = '', bound = '', policy = '', metrics = ''] = row.slice(1, -1).split('|').map((cell) => cell.trim());
    return { what, bound, policy, metrics: [...metrics.matchAll(/swarmq_[a-z_0-9]+/g)].map(([name]) => name) };
  });
}

describe('What is bounded', () => {
  it('has a bound, a policy and a metric in every row', () => {
    assert.ok(bounds().length > 20);
    for (const { what, bound, policy, metrics } of bounds()) {
      assert.ok(bound !== '' && policy !== '', `${what} has a bound and a policy`);
      assert.ok(metrics.length > 0, `${what} has a metric`);
    }
  });

  it('names options that there are', () => {
    const named = bounds().flatMap(({ bound }) => [...bound.matchAll(/`([a-z]+(?:\.[a-zA-Z]+)+)`/g)].map(([, path]) => path!));
    assert.ok(named.length > 10);
    for (const path of named) assert.ok(settings.has(path), `the option ${path}`);
  });

  it('names metrics that a node has on its page', async () => {
    const folder = temporaryFolder('bounds');
    writeFileSync(join(folder.path, 'acl'), 'allow topic #\n');
    writeFileSync(join(folder.path, 'passwords'), '');
    const redis = await startRedis();
    const node = await startNode({
      redis: redis.url,
      kafka: `127.0.0.1:${await freePort()}`,
      config: {
        bridge: { rules: [{ name: 'all', filter: '#', topic: 'all' }] },
        auth: { passwordFile: join(folder.path, 'passwords'), aclFile: join(folder.path, 'acl') },
      },
    });
    const page = await (await fetch(`${node.adminUrl}/metrics`)).text();
    const there = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    for (const { what, metrics } of bounds()) for (const name of metrics) assert.ok(there.has(name), `${name}, for ${what}`);
    await node.kill();
    await redis.stop();
    folder.remove();
  });
});
