import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { BrokerError, type ErrorCode } from '../../src/base/errors.ts';
import { planCluster } from '../../src/cli/cluster-plan.ts';
import { exitCodeOf, exitCodeOfSignal, exitCodes, exitCodesHelp } from '../../src/cli/exit-codes.ts';
import { resolveConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { atEnd } from '../support/ends.ts';
import { freePort } from '../support/ports.ts';

describe('exit codes', () => {
  const refused = Object.assign(new Error('listen EADDRINUSE'), { syscall: 'listen' });

  it('tell an unusable address, a wrong configuration, an absent store and any other fault apart', () => {
    const broker = (code: ErrorCode, cause?: unknown): BrokerError => new BrokerError(code, 'x', cause);
    assert.equal(exitCodeOf(refused), exitCodes.cannotListen);
    assert.equal(exitCodeOf(broker('config-invalid', refused)), exitCodes.cannotListen);
    assert.equal(exitCodeOf(broker('config-invalid')), exitCodes.configuration);
    assert.equal(exitCodeOf(broker('store-unavailable', Object.assign(new Error(), { syscall: 'getaddrinfo' }))), exitCodes.storeUnreachable);
    assert.equal(exitCodeOf(broker('internal')), exitCodes.fault);
    assert.equal(exitCodeOf('x'), exitCodes.fault);
    assert.equal(exitCodeOfSignal('SIGTERM'), 143);
  });

  it('are all in the help', () => {
    for (const code of Object.values(exitCodes)) assert.match(exitCodesHelp, new RegExp(`^  ${code}  `, 'm'));
  });
});

describe('the plan of a cluster', () => {
  function configOf(listen: string[], admin?: string): Config {
    const flags = [{ path: 'listeners', value: listen, name: '--listen' }];
    return resolveConfig({ flags: admin === undefined ? flags : [...flags, { path: 'admin.listen', value: admin, name: '--admin' }] }).config;
  }

  async function occupy(): Promise<number> {
    const port = await freePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port }, resolve));
    atEnd(`port ${port}`, () => void server.close());
    return port;
  }

  it('gives each node an id, a direct port of its own and an admin port, behind shared addresses', async () => {
    const { endpoint, nodes } = await planCluster(configOf(['mqtt://127.0.0.1:0', 'ws://127.0.0.1:0'], '127.0.0.1:0'), 'n', 3, null);
    assert.deepEqual(nodes.map(({ config }) => config.node.id), ['n1', 'n2', 'n3']);
    for (const { config, direct } of nodes) {
      assert.deepEqual(config.listeners.map(({ exclusive }) => exclusive), [false, false, true]);
      assert.equal(config.listeners[0]?.url, endpoint);
      assert.equal(config.listeners[1]?.url, nodes[0]?.config.listeners[1]?.url);
      assert.equal(config.listeners[2], direct);
      assert.equal(direct.url, `mqtt://127.0.0.1:${direct.port}`);
    }
    const ports = nodes.flatMap(({ config, direct }) => [direct.port, config.admin.listen?.port]);
    assert.equal(new Set(ports).size, 6);
    assert.ok(!ports.includes(0));
  });

  it('counts direct ports up and passes over busy ones', async () => {
    const busy = await occupy();
    const { nodes } = await planCluster(configOf(['mqtt://127.0.0.1:0']), 'n', 2, busy);
    const [first = 0, second = 0] = nodes.map(({ direct }) => direct.port);
    assert.ok(busy < first && first < second);
  });

  it('is refused when a shared or an admin address is in use', async () => {
    const busy = await occupy();
    const isListenFault = (error: unknown): boolean => exitCodeOf(error) === exitCodes.cannotListen;
    await assert.rejects(planCluster(configOf([`mqtt://127.0.0.1:${busy}`]), 'n', 1, null), isListenFault);
    await assert.rejects(planCluster(configOf(['mqtt://127.0.0.1:0'], `127.0.0.1:${busy}`), 'n', 1, null), isListenFault);
  });
});
