import assert from 'node:assert/strict';
import { silentLog } from '../../src/base/log.ts';
import { noBytes, type Qos } from '../../src/base/message.ts';
import { matches } from '../../src/base/topic.ts';
import { encodeSubscriptionId } from '../../src/codec/subscribe.ts';
import { nodeRoute, Routes, sessionRoute } from '../../src/engine/routes.ts';
import type { Session } from '../../src/engine/session.ts';
import { encodeOptions, type SubscriptionOptions } from '../../src/engine/subscription.ts';
import { randomFrom } from '../support/codec.ts';

const self = 'n1#1';
const makeRoutes = (): Routes => new Routes(() => self, (clientId) => ({ clientId, isFull: false }), silentLog);
const session = (clientId: string): Session => ({ clientId, isFull: false }) as unknown as Session;
const options = (qos: Qos, more: Partial<SubscriptionOptions> = {}): SubscriptionOptions => ({ qos, noLocal: false, retainAsPublished: false, ids: noBytes, ...more });
const queue = (filter: string, clientId: string, qos: Qos, more: Partial<SubscriptionOptions> = {}) => sessionRoute(filter, clientId, 1, encodeOptions(options(qos, more)));

describe('Routes', () => {
  it('give each subscriber once: highest QoS, all identifiers, retain as published when one asks for it [MQTT-3.3.4-2]', () => {
    const routes = makeRoutes();
    const one = session('one');
    const ids = [1, 300].map(encodeSubscriptionId);
    routes.addLocal('a/#', one, options(0, { ids: ids[0]! }));
    routes.addLocal('a/+', one, options(2, { ids: ids[1]! }));
    routes.addLocal('a/b', one, options(1, { retainAsPublished: true }));
    routes.addLocal('a/b', session('two'), options(1));
    const { locals } = routes.match('a/b');
    assert.deepEqual(locals.map((route) => route.session.clientId).sort(), ['one', 'two']);
    const route = locals.find((local) => local.session === one);
    assert.deepEqual({ qos: route?.qos, rap: route?.retainAsPublished }, { qos: 2, rap: true });
    assert.equal(route?.ids.length, ids[0]!.length + ids[1]!.length);
    for (const id of ids) assert.ok(route.ids.includes(id));
  });

  it('give the merged options at the head of what is queued', () => {
    const routes = makeRoutes();
    routes.change(queue('a/#', 'car', 1, { ids: encodeSubscriptionId(7) }));
    routes.change(queue('a/b', 'car', 2));
    const { queues } = routes.match('a/b');
    assert.equal(queues.length, 1);
    assert.deepEqual(queues[0]!.head, encodeOptions(options(2, { ids: encodeSubscriptionId(7) })));
    assert.equal(queues[0]!.queue.clientId, 'car');
  });

  it('leave out a publisher whose own filter says no local, and not its other filters [MQTT-3.8.3-3]', () => {
    const routes = makeRoutes();
    const one = session('one');
    routes.addLocal('a/+', one, options(2, { noLocal: true }));
    routes.change(queue('a/+', 'one', 2, { noLocal: true }));
    assert.equal(routes.match('a/b').hasNoLocal, true);
    const own = routes.matchFor('a/b', 'one');
    assert.deepEqual([own.locals.length, own.queues.length], [0, 0]);
    const other = routes.matchFor('a/b', 'two');
    assert.deepEqual([other.locals.length, other.queues.length], [1, 1]);
    routes.addLocal('a/#', one, options(1));
    routes.change(queue('a/#', 'one', 1));
    const both = routes.matchFor('a/b', 'one');
    assert.deepEqual([both.locals[0]?.qos, both.queues[0]?.qos], [1, 1]);
  });

  it('replace a subscription and the interest of a node, and remove them', () => {
    const routes = makeRoutes();
    const one = session('one');
    routes.addLocal('a', one, options(0));
    routes.addLocal('a', one, options(1));
    routes.change(queue('a', 'car', 0));
    routes.change(queue('a', 'car', 2));
    routes.change(nodeRoute('a', 'n2#1', 'live'));
    routes.change(nodeRoute('a', 'n2#1', 'quiet'));
    const { locals, queues, nodes } = routes.match('a');
    assert.deepEqual([locals.map(({ qos }) => qos), queues.map(({ qos }) => qos), nodes.map(({ live }) => live)], [[1], [2], [false]]);
    assert.equal(routes.size, 3);
    routes.removeLocal('a', one);
    routes.change(sessionRoute('a', 'car', 1, null));
    routes.change(nodeRoute('a', 'n2#1', null));
    assert.equal(routes.size, 0);
    const after = routes.match('a');
    assert.equal(after.locals.length + after.queues.length + after.nodes.length, 0);
  });

  it('are of no newer version when a change is read that stands already', () => {
    const routes = makeRoutes();
    routes.change(queue('a', 'car', 1));
    routes.change(nodeRoute('a', 'n2#1', 'live'));
    const { version } = routes;
    const match = routes.match('a');
    routes.change(queue('a', 'car', 1));
    routes.change(nodeRoute('a', 'n2#1', 'live'));
    routes.change(sessionRoute('b', 'car', 1, null));
    routes.change(nodeRoute('b', 'n3#1', null));
    assert.equal(routes.version, version);
    assert.equal(routes.match('a'), match, 'what was looked up stays');
    routes.change(queue('a', 'car', 2));
    assert.notEqual(routes.version, version);
    assert.notEqual(routes.match('a'), match);
  });

  it('keep nothing of very long topics, so that strangers cannot fill the memory with them', () => {
    const routes = makeRoutes();
    const long = 'x'.repeat(10_000);
    routes.addLocal('#', session('one'), options(0));
    assert.equal(routes.match('short'), routes.match('short'));
    assert.notEqual(routes.match(long), routes.match(long));
    assert.equal(routes.match(long).locals.length, 1);
  });

  it('do not count this node among the others', () => {
    const routes = makeRoutes();
    routes.change(nodeRoute('a', self, 'live'));
    assert.deepEqual(routes.match('a').nodes, []);
  });

  it('give a node once, live when one of its filters is', () => {
    const routes = makeRoutes();
    routes.change(nodeRoute('a/b', 'n2#1', 'quiet'));
    routes.change(nodeRoute('a/+', 'n2#1', 'live'));
    routes.change(nodeRoute('a/#', 'n2#1', 'quiet'));
    routes.change(nodeRoute('a/#', 'n3#1', 'quiet'));
    const nodes = [...routes.match('a/b').nodes].sort((a, b) => a.incarnation.localeCompare(b.incarnation));
    assert.deepEqual(nodes.map(({ incarnation, live }) => [incarnation, live]), [['n2#1', true], ['n3#1', false]]);
  });

  it('forget at a reset what the cluster told, and keep what is known here', () => {
    const routes = makeRoutes();
    const deliver = (): void => undefined;
    routes.addLocal('a', session('one'), options(1));
    routes.addListener('a', deliver);
    routes.addBridge('a', 'rule', { bridge: 'b', shard: 0 });
    routes.change(queue('a', 'car', 1));
    routes.change(nodeRoute('a', 'n2#1', 'live'));
    routes.reset();
    const { locals, listeners, bridges, queues, nodes } = routes.match('a');
    assert.deepEqual([locals, listeners, bridges, queues, nodes].map(({ length }) => length), [1, 1, 1, 0, 0]);
  });

  it('tell what is to be removed of a dead node', () => {
    const routes = makeRoutes();
    for (const filter of ['a', 'b/+', '#']) routes.change(nodeRoute(filter, 'n2#1', 'live'));
    routes.change(nodeRoute('a', 'n2#2', 'live'));
    const removals = routes.removalsOf('n2#1');
    assert.deepEqual(removals.map(({ filter }) => filter).sort(), ['#', 'a', 'b/+']);
    for (const removal of removals) routes.change(removal);
    assert.deepEqual(routes.match('a').nodes.map(({ incarnation }) => incarnation), ['n2#2']);
  });

  it('pass over what cannot be read, and go on', () => {
    const routes = makeRoutes();
    routes.change({ filter: 'a', target: 'x:unknown', options: Buffer.of(1) });
    routes.change({ filter: 'a', target: 's:car', options: Buffer.of(3) });
    routes.change({ filter: 'a', target: 's:car', options: noBytes });
    assert.equal(routes.size, 0);
    routes.change(queue('a', 'car', 1));
    assert.equal(routes.match('a').queues.length, 1);
  });

  it('find the same as a comparison with every filter, while thousands come and go', () => {
    const random = randomFrom(7);
    const names = ['a', 'b', 'c', '', '$x'];
    const filterOf = (): string => {
      const levels = Array.from({ length: 1 + random(4) }, () => (random(4) === 0 ? '+' : names[random(names.length)]!));
      if (random(5) === 0) levels.push('#');
      return levels.join('/') || 'a';
    };
    const topicOf = (): string => Array.from({ length: 1 + random(5) }, () => names[random(names.length)]!).join('/') || 'a';
    const routes = makeRoutes();
    const standing = new Map<string, { filter: string; clientId: string; qos: Qos }>();
    for (let step = 0; step < 20_000; step++) {
      const [filter, clientId, qos] = [filterOf(), `c${random(20)}`, random(3) as Qos];
      const key = `${clientId} ${filter}`;
      if (random(5) < 2) {
        routes.change(sessionRoute(filter, clientId, 1, null));
        standing.delete(key);
      } else {
        routes.change(queue(filter, clientId, qos));
        standing.set(key, { filter, clientId, qos });
      }
      if (step % 20 !== 0) continue;
      const topic = topicOf();
      const wanted = new Map<string, Qos>();
      for (const one of standing.values()) {
        if (matches(one.filter, topic)) wanted.set(one.clientId, Math.max(one.qos, wanted.get(one.clientId) ?? 0) as Qos);
      }
      const found = new Map(routes.match(topic).queues.map((route) => [route.clientId, route.qos]));
      assert.deepEqual(new Map([...found].sort()), new Map([...wanted].sort()), topic);
    }
    assert.equal(routes.size, standing.size);
  });
});
