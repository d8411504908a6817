import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { openPackets } from '../support/packets.ts';
import { codeOf, counted, enter, onBothStores, lasting, leave, message, send, subscribe, take, type Place } from './conversation.ts';

onBothStores('Session expiry', (test) => {
  /** Whether the session is still there; asking does not keep it longer than before. */
  const isThere = async (node: Place, clientId: string, seconds: number): Promise<boolean> => {
    const client = await openPackets(node.port, 5);
    const { sessionPresent } = await client.connect({ ...lasting(5, seconds), clientId });
    await leave(client);
    return sessionPresent;
  };

  test('of 0 ends the session with its connection, with and without DISCONNECT [MQTT-3.1.2-23]', async (node) => {
    for (const isPolite of [true, false]) {
      const clientId = `expiry-0-${isPolite}`;
      const client = await enter(node, 5, { clientId, clean: false });
      await subscribe(client, 'expiry/0', 1);
      if (isPolite) await leave(client);
      else client.destroy();
      assert.equal(await isThere(node, clientId, 0), false);
    }
  });

  test('keeps the session for so long, and not longer', async (node) => {
    const clientId = 'expiry-1';
    const client = await enter(node, 5, { ...lasting(5, 1), clientId });
    await subscribe(client, 'expiry/1', 1);
    await leave(client);
    assert.equal(await isThere(node, clientId, 1), true);
    const leftAt = performance.now();
    const before = await counted(node, 'swarmq_sessions_expired_total');
    await eventually(async () => (await counted(node, 'swarmq_sessions_expired_total')) > before, { withinMs: 10_000, what: 'end of the session' });
    assert.ok(performance.now() - leftAt > 950);
    assert.equal(await isThere(node, clientId, 2), false);
    // its subscription is gone too
    const publisher = await enter(node, 5);
    publisher.send(message('expiry/1', 'x', 1));
    assert.equal(codeOf((await publisher.expect({ cmd: 'puback' })) as object), 0x10);
  });

  test('does not run while the client is connected [MQTT-4.1.0-1]', async (node) => {
    const clients = [await enter(node, 4), await enter(node, 5), await enter(node, 5, lasting(5, 1))];
    for (const client of clients) await subscribe(client, 'expiry/connected', 1);
    await Promise.all(clients.map((client) => client.nothing(2_500)));
    const publisher = await enter(node, 5);
    await send(publisher, message('expiry/connected', 'still here', 1));
    for (const client of clients) await take(client, { payload: 'still here' });
  });

  test('is over for a client that comes back too late, though nobody has tidied up yet', async (node) => {
    const clientId = 'expiry-late';
    const client = await enter(node, 5, { ...lasting(5, 1), clientId });
    await subscribe(client, 'expiry/late', 1);
    await leave(client);
    const publisher = await enter(node, 5);
    await send(publisher, message('expiry/late', 'kept', 1));
    const leftAt = performance.now();
    await eventually(() => performance.now() - leftAt > 1_005, { what: 'passage of time' });
    const late = await openPackets(node.port, 5);
    assert.equal((await late.connect({ ...lasting(5, 1), clientId })).sessionPresent, false);
    await late.expectQuiet();
  });

  test('is changed by DISCONNECT', async (node) => {
    for (const [first, then, isKept] of [[3600, 0, false], [1, 3600, true]] as const) {
      const clientId = `expiry-changed-${first}`;
      const client = await enter(node, 5, { ...lasting(5, first), clientId });
      await subscribe(client, `expiry/changed/${first}`, 1);
      await leave(client, { properties: { sessionExpiryInterval: then } });
      const leftAt = performance.now();
      if (isKept) await eventually(() => performance.now() - leftAt > 1_100, { what: 'passage of time' });
      assert.equal(await isThere(node, clientId, 0), isKept);
    }
  });

  test('of 0 cannot be changed by DISCONNECT [MQTT 5, 3.14.2.2.2]', async (node) => {
    const client = await enter(node, 5);
    client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 10 } });
    await client.expect({ cmd: 'disconnect', reasonCode: 0x82 });
    await client.expectClosed();
  });

  test('of 0 ends a session that was kept until now, with what waits in it', async (node) => {
    const clientId = 'expiry-taken-back';
    const client = await enter(node, 5, { ...lasting(5), clientId });
    await subscribe(client, 'expiry/taken-back', 1);
    await leave(client);
    const publisher = await enter(node, 5);
    await send(publisher, message('expiry/taken-back', 'kept', 1));
    const again = await openPackets(node.port, 5);
    assert.equal((await again.connect({ clientId, clean: false })).sessionPresent, true);
    await take(again, { payload: 'kept' });
    await leave(again);
    assert.equal(await isThere(node, clientId, 0), false);
  });

  test('counts from each end of a connection', async (node) => {
    const clientId = 'expiry-again';
    const client = await enter(node, 5, { ...lasting(5, 2), clientId });
    await subscribe(client, 'expiry/again', 1);
    await leave(client);
    const from = performance.now();
    while (performance.now() - from < 2_500) assert.equal(await isThere(node, clientId, 2), true);
  });
});
