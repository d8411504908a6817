import assert from 'node:assert/strict';
import { HashQueue } from '../../src/auth/hash-queue.ts';
import { Metrics } from '../../src/base/metrics.ts';

/** Work that ends when told to. */
class Gate {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  readonly work = (name: string) => (): Promise<string> => {
    this.begun.push(name);
    return new Promise((resolve) => this.#ends.set(name, () => { resolve(name); }));
  };

  end(name: string): void {
    this.#ends.get(name)!();
  }
}

const yes = (): boolean => true;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the queue of slow hashes', () => {
  it('does a few at a time, the others in order', async () => {
    const queue = new HashQueue(2, 10, new Metrics());
    const gate = new Gate();
    const all = ['a', 'b', 'c', 'd'].map((name) => queue.run(gate.work(name), yes));
    await turn();
    assert.deepEqual(gate.begun, ['a', 'b']);
    gate.end('b');
    await turn();
    assert.deepEqual(gate.begun, ['a', 'b', 'c']);
    for (const name of ['a', 'c']) gate.end(name);
    await turn();
    gate.end('d');
    assert.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd']);
    const after = queue.run(gate.work('e'), yes);
    gate.end('e');
    assert.equal(await after, 'e');
  });

  it('turns away who comes when too many wait', async () => {
    const queue = new HashQueue(1, 1, new Metrics());
    const gate = new Gate();
    const [first, second] = [queue.run(gate.work('a'), yes), queue.run(gate.work('b'), yes)];
    assert.equal(await queue.run(gate.work('c'), yes), null);
    gate.end('a');
    await first;
    gate.end('b');
    assert.equal(await second, 'b');
  });

  it('leaves out what nobody wants any more, and gives its place to who comes', async () => {
    const queue = new HashQueue(1, 2, new Metrics());
    const gate = new Gate();
    const gone = new Set<string>();
    const run = (name: string): Promise<string | null> => queue.run(gate.work(name), () => !gone.has(name));
    const all = ['a', 'b', 'c'].map(run);
    gone.add('b');
    all.push(run('d'));
    gone.add('c');
    gate.end('a');
    await turn();
    gate.end('d');
    assert.deepEqual(await Promise.all(all), ['a', null, null, 'd']);
  });

  it('goes on after work that failed', async () => {
    const queue = new HashQueue(1, 1, new Metrics());
    const failing = queue.run(() => Promise.reject(new Error('no memory')), yes);
    const next = queue.run(() => Promise.resolve('next'), yes);
    await assert.rejects(failing, /no memory/);
    assert.equal(await next, 'next');
  });
});
