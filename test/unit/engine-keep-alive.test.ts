import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { Connection } from '../../src/engine/connection.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { KeepAlive } from '../../src/engine/keep-alive.ts';

class ProbedSocket extends Socket {
  isProbed = false;

  override setKeepAlive(isOn = false): this {
    this.isProbed = isOn;
    return this;
  }
}

interface Fake {
  stream: unknown;
  request?: { socket: Socket };
  state: string;
  keepAliveSeconds: number;
  heardAt: number;
  dueSecond: number;
  isHeldBack: boolean;
  isBusy: boolean;
  closedFor: string | null;
}

describe('The wheel of keep-alive', () => {
  const make = (connectTimeoutMs = 10_000): { wheel: KeepAlive; pass(seconds: number): void; connect(more?: Partial<Fake>): Fake } => {
    const engine = { second: 100, config: { mqtt: { connectTimeoutMs } } };
    const wheel = new KeepAlive(engine as unknown as Engine);
    return {
      wheel,
      pass(seconds) {
        for (; seconds > 0; seconds--) {
          engine.second++;
          wheel.tick();
        }
      },
      connect(more = {}) {
        const fake: Fake & { close(error: { code: string }): void } = {
          stream: new ProbedSocket(),
          state: 'new',
          keepAliveSeconds: 0,
          heardAt: engine.second,
          dueSecond: 0,
          isHeldBack: false,
          isBusy: false,
          closedFor: null,
          ...more,
          close(error) {
            this.state = 'closed';
            this.closedFor = error.code;
            wheel.forget(this as unknown as Connection);
          },
        };
        wheel.awaitConnect(fake as unknown as Connection);
        return fake;
      },
    };
  };
  const watch = (wheel: KeepAlive, fake: Fake, keepAliveSeconds: number): void => {
    fake.state = 'live';
    fake.keepAliveSeconds = keepAliveSeconds;
    wheel.watch(fake as unknown as Connection);
  };

  it('gives a connection all its time for CONNECT, and not two seconds more', () => {
    const { pass, connect } = make(10_000);
    const fake = connect();
    pass(10);
    assert.equal(fake.closedFor, null);
    pass(1);
    assert.equal(fake.closedFor, 'connect-timeout');
  });

  it('does not blame a client whose CONNECT the server cannot answer', () => {
    const { pass, connect } = make();
    const fake = connect({ state: 'opening' });
    pass(11);
    assert.equal(fake.closedFor, 'server-unavailable');
  });

  it('closes after one and a half times the keep-alive of silence, counted from the last packet', () => {
    const { wheel, pass, connect } = make();
    const fake = connect();
    watch(wheel, fake, 10);
    pass(14);
    fake.heardAt = 114;
    pass(14);
    assert.equal(fake.closedFor, null);
    pass(3);
    assert.equal(fake.closedFor, 'keep-alive-timeout');
  });

  it('waits for a client that is not read at the moment', () => {
    const { wheel, pass, connect } = make();
    const fake = connect();
    watch(wheel, fake, 2);
    fake.isHeldBack = true;
    pass(50);
    assert.equal(fake.closedFor, null);
    fake.isHeldBack = false;
    pass(1);
    assert.equal(fake.closedFor, 'keep-alive-timeout');
  });

  it('finds also a client whose CONNECT took longer than its keep-alive', () => {
    const { wheel, pass, connect } = make(60_000);
    const fake = connect();
    pass(30);
    watch(wheel, fake, 1);
    pass(1);
    assert.equal(fake.closedFor, 'keep-alive-timeout');
  });

  it('never closes without a keep-alive', () => {
    const { wheel, pass, connect } = make();
    const fake = connect();
    watch(wheel, fake, 0);
    pass(200);
    assert.equal(fake.closedFor, null);
  });

  it('lets go of a closed connection at once', () => {
    const { wheel, pass, connect } = make();
    const fake = connect();
    watch(wheel, fake, 1000);
    wheel.forget(fake as unknown as Connection);
    // whoever still hung on the wheel would be closed as silent
    pass(5000);
    assert.equal(fake.closedFor, null);
  });

  for (const [keepAliveSeconds, isProbed] of [[0, true], [60, false], [300, false], [1200, true]] as const) {
    it(`${isProbed ? 'has TCP probe' : 'spares the probes of TCP to'} a client with a keep-alive of ${keepAliveSeconds} s`, () => {
      const { wheel, connect } = make();
      const fake = connect();
      watch(wheel, fake, keepAliveSeconds);
      assert.equal((fake.stream as ProbedSocket).isProbed, isProbed);
    });
  }

  it('has TCP probe the socket under a WebSocket', () => {
    const { wheel, connect } = make();
    const socket = new ProbedSocket();
    watch(wheel, connect({ stream: new PassThrough(), request: { socket } }), 0);
    assert.equal(socket.isProbed, true);
  });
});
