import assert from 'node:assert/strict';
import { Keys } from '../../src/redis/keys.ts';
import { entryOpening, EntryWriter } from '../../cluster/wire.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { join, prepare, type Joined } from './joined.ts';

const keys = new Keys('sq:');

function texts(node: Joined): string[] {
  return node.frames.map(String);
}

describe('nodes: inboxes', () => {
  let server: RedisServer;
  let a: Joined;
  let b: Joined;

  beforeEach(async () => {
    server = await startRedis();
    a = await join(server, 'a');
    b = await join(server, 'b');
  });

  it('frames arrive once and in the order of their sender, over many commits', async () => {
    const sent = Array.from({ length: 3000 }, (_, i) => `frame ${i}`);
    for (let i = 0; i < sent.length; i += 30) await a.send(b.incarnation, ...sent.slice(i, i + 30));
    await eventually(() => b.frames.length >= sent.length, { what: 'all frames' });
    assert.deepEqual(texts(b), sent);
  });

  it('the frames of one commit to one node are one entry', async () => {
    b.proxy.freeze();
    await a.send(b.incarnation, 'one', 'two', 'three');
    assert.equal(await server.client().xlen(keys.inbox(b.incarnation)), 1);
    b.proxy.thaw();
    await eventually(() => b.frames.length === 3, { what: 'frames' });
    assert.equal(await a.metric('swarmq_inbox_frames_total{direction="out"}'), 3);
    assert.equal(await b.metric('swarmq_inbox_frames_total{direction="in"}'), 3);
  });

  it('small and large bodies keep their order and every byte', async () => {
    const sizes = [1, 20_000, 3, 300_000, 16_384, 16_385, 2, 70_000, 70_000];
    const bodies = sizes.map((size, i) => Buffer.alloc(size, i + 1));
    await a.commit(
      (batch) => {
        for (const body of bodies) a.cluster.inbox.send(batch, b.incarnation, Buffer.from('head'), body);
        a.cluster.inbox.send(batch, b.incarnation, Buffer.from('end'), null);
        return 0;
      },
      () => undefined,
    );
    await eventually(() => b.frames.length === sizes.length + 1, { what: 'frames' });
    for (const [i, body] of bodies.entries()) assert.ok(b.frames[i]!.equals(Buffer.concat([Buffer.from('head'), body])), `frame ${i}`);
    assert.equal(String(b.frames[sizes.length]), 'end');
  });

  it('the head may be used again by its owner at once', async () => {
    const head = Buffer.from('1');
    await a.commit(
      (batch) => {
        for (const digit of '123') {
          head.write(digit);
          a.cluster.inbox.send(batch, b.incarnation, head, null);
        }
        return 0;
      },
      () => undefined,
    );
    await eventually(() => b.frames.length === 3, { what: 'frames' });
    assert.deepEqual(texts(b), ['1', '2', '3']);
  });

  it('two batches that are built at the same time do not mix', async () => {
    const first = a.link.begin();
    const second = a.link.begin();
    a.cluster.inbox.send(first, b.incarnation, Buffer.from('first'), null);
    a.cluster.inbox.send(second, b.incarnation, Buffer.from('second'), null);
    a.cluster.inbox.seal(second);
    assert.deepEqual([first.size, second.size], [0, 1]);
    a.cluster.inbox.seal(first);
    assert.equal(first.size, 1);
  });

  it('a frame made for a script arrives like any other', async () => {
    const { key, field, value } = a.cluster.inbox.target(b.incarnation, Buffer.from('he'), Buffer.from('ad'));
    await server.client().xadd(key, '*', field, value);
    await eventually(() => texts(b).join() === 'head', { what: 'frame' });
  });

  it('a frame to a life that has ended goes nowhere', async () => {
    await a.send('gone#9', 'frame');
    assert.equal(await server.client().exists(keys.inbox('gone#9')), 0);
  });

  it('the receiver holds back the next entry until it has handled one', async () => {
    let goOn = (): void => undefined;
    const seen: string[] = [];
    const c = await join(server, 'c', {
      receive: (frames) => {
        seen.push(...frames.map(String));
        return new Promise((resolve) => (goOn = resolve));
      },
    });
    await a.send(c.incarnation, 'one');
    await a.send(c.incarnation, 'two');
    await eventually(() => seen.length > 0, { what: 'first entry' });
    await a.send(b.incarnation, 'meanwhile');
    await eventually(() => b.frames.length === 1, { what: 'frame elsewhere' });
    assert.deepEqual(seen, ['one']);
    goOn();
    await eventually(() => seen.length === 2, { what: 'second entry' });
    goOn();
  });

  it('a handler that fails does not stop the inbox', async () => {
    let calls = 0;
    const c = await join(server, 'c', {
      receive: () => {
        if (++calls === 1) throw new Error('thrown');
        return calls === 2 ? Promise.reject(new Error('rejected')) : undefined;
      },
    });
    for (const frame of ['one', 'two', 'three']) await a.send(c.incarnation, frame);
    await eventually(() => calls === 3, { what: 'third entry' });
  });

  it('garbage and entries of a newer version are skipped and counted', async () => {
    const redis = server.client();
    const inbox = keys.inbox(b.incarnation);
    const newer = new EntryWriter(entryOpening('z#1'), 1, 0).take();
    newer[0] = 9;
    for (const value of ['', 'x', Buffer.from('0100ffff', 'hex'), Buffer.from('01000161000000ff', 'hex'), newer]) await redis.xadd(inbox, '*', 'f', value);
    await redis.xadd(inbox, '*', 'other', 'field');
    await redis.xadd(inbox, '*', 'f', 'too', 'many', 'fields');
    await a.send(b.incarnation, 'good');
    await eventually(() => b.frames.length > 0, { what: 'good frame' });
    assert.deepEqual(texts(b), ['good']);
    assert.equal(await b.metric('swarmq_inbox_garbage_total'), 7);
  });

  it('an entry that comes again is skipped and counted, another of the same content is not', async () => {
    const redis = server.client();
    const inbox = keys.inbox(b.incarnation);
    const entry = (number: number): Buffer => {
      const writer = new EntryWriter(entryOpening('z#1'), number, 0);
      writer.add(Buffer.from('same'), null);
      return writer.take();
    };
    for (const number of [1, 2, 1, 2, 3]) await redis.xadd(inbox, '*', 'f', entry(number));
    await a.send(b.incarnation, 'last');
    await eventually(() => texts(b).includes('last'), { what: 'the last frame' });
    assert.deepEqual(texts(b), ['same', 'same', 'same', 'last']);
    assert.equal(await b.metric('swarmq_inbox_repeats_total'), 2);
  });

  it('what was handled is trimmed', async () => {
    const redis = server.client();
    for (let i = 0; i < 400; i++) await a.send(b.incarnation, 'x');
    await eventually(() => b.frames.length === 400, { what: 'frames' });
    await eventually(async () => (await redis.xlen(keys.inbox(b.incarnation))) < 64, { what: 'trimmed inbox' });
  });

  it('an inbox that nobody reads does not grow without end', async () => {
    const c = await prepare(server, 'c', { inboxEntries: 100 });
    await c.cluster.start(c.handlers);
    b.proxy.freeze();
    for (let i = 0; i < 1000; i++) await c.send(b.incarnation, 'x');
    assert.ok((await server.client().xlen(keys.inbox(b.incarnation))) <= 300);
    b.proxy.thaw();
  });

  it('after a lost connection the inbox is read on, nothing twice and nothing missing', async () => {
    const sent: string[] = [];
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 20; i++) {
        sent.push(`${round}/${i}`);
        await a.send(b.incarnation, sent.at(-1)!);
      }
      b.proxy.cut();
    }
    await eventually(() => b.frames.length >= sent.length, { what: 'all frames' });
    assert.deepEqual(texts(b), sent);
  });
});
