import assert from 'node:assert/strict';
import { parseRedisUrl, withoutPassword, withPassword } from '../../src/base/redis-url.ts';
import { losesData, risksOf } from '../../src/redis/caution.ts';

describe('the place of Redis', () => {
  const plain = { primary: '', database: 0, user: '', password: '', tls: false };

  it('is one server, with its database', () => {
    assert.deepEqual(parseRedisUrl('redis://h'), { ...plain, kind: 'single', hosts: [{ host: 'h', port: 6379 }] });
    assert.deepEqual(parseRedisUrl('rediss://u:p%40@[::1]:7/2'), {
      kind: 'single', hosts: [{ host: '::1', port: 7 }], primary: '', database: 2, user: 'u', password: 'p@', tls: true,
    });
  });

  it('is the primary that Sentinel calls by a name', () => {
    const hosts = [{ host: 'a', port: 26_379 }, { host: 'b', port: 1 }];
    assert.deepEqual(parseRedisUrl('redis+sentinel://a,b:1/main'), { ...plain, kind: 'sentinel', hosts, primary: 'main' });
    assert.deepEqual(parseRedisUrl('redis+sentinel://:p@a,b:1/main/3'), { ...plain, kind: 'sentinel', hosts, primary: 'main', database: 3, password: 'p' });
  });

  it('is a Redis Cluster, by some of its nodes', () => {
    const hosts = [{ host: 'a', port: 6379 }, { host: 'b', port: 1 }];
    assert.deepEqual(parseRedisUrl('rediss+cluster://a,b:1'), { ...plain, kind: 'cluster', hosts, tls: true });
  });

  it('is refused with what to do about it', () => {
    const faults: readonly (readonly [string, RegExp])[] = [
      ['http://h', /is no Redis URL/],
      ['redis://', /is no Redis URL/],
      ['redis://h:0', /is no Redis URL/],
      ['redis://h?x=1', /is no Redis URL/],
      ['redis+other://h', /is no Redis URL/],
      ['redis://h/db', /names no database/],
      ['redis://a,b', /names several hosts/],
      ['redis+sentinel://a,b', /names no primary/],
      ['redis+sentinel://a/main/x', /names no database/],
      ['redis+cluster://a/1', /has only one/],
      ['redis://u:50%@h', /write %25/],
    ];
    for (const [url, problem] of faults) assert.match(parseRedisUrl(url) as string, problem, url);
  });

  it('takes a password that is kept apart, and shows none', () => {
    assert.equal(withPassword('redis://h:1', 'a@b'), 'redis://:a%40b@h:1');
    assert.equal(withPassword('redis+cluster://bob@h:1,i', 'p'), 'redis+cluster://bob:p@h:1,i');
    assert.equal(withoutPassword('redis+sentinel://bob:secret@h:1,i/main'), 'redis+sentinel://h:1,i/main');
  });
});

describe('what Redis says of itself', () => {
  it('tells of a policy that throws keys away, as soon as there is a limit', () => {
    const info = (limit: number, policy: string): string => `maxmemory:${limit}\r\nmaxmemory_policy:${policy}\r\naof_enabled:1\r\n`;
    assert.deepEqual(risksOf(info(0, 'allkeys-lru')), { eviction: null, forgetful: false });
    assert.deepEqual(risksOf(info(100, 'noeviction')), { eviction: null, forgetful: false });
    assert.deepEqual(risksOf(info(100, 'volatile-ttl')), { eviction: 'volatile-ttl', forgetful: false });
    assert.equal(losesData('volatile-ttl'), false);
    assert.equal(losesData('allkeys-lru'), true);
  });

  it('tells of a missing append-only file, and of nothing when it may not say', () => {
    assert.deepEqual(risksOf('aof_enabled:0\r\n'), { eviction: null, forgetful: true });
    assert.deepEqual(risksOf(''), { eviction: null, forgetful: false });
  });
});
