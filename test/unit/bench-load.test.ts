import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet';
import { Traffic } from '../../bench/load/traffic.ts';
import type { LoadResult, TrafficPlan } from '../../bench/load/plan.ts';
import type { QoS } from '../../bench/load/packets.ts';

const good = { lost: 0, doubled: 0, reordered: 0, misrouted: 0 };

describe('the load generator', () => {
  let server: Server;
  let sockets: Set<Socket>;

  /** A broker for exact filters; `tamper` gives what it makes of the messages of one read. */
  async function startBroker(tamper: (messages: IPublishPacket[]) => IPublishPacket[]): Promise<number> {
    const subscribers = new Map<string, Socket>();
    server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      const answer = (packet: Packet): void => void socket.write(mqttPacket.generate(packet));
      let messages: IPublishPacket[] = [];
      const parser = mqttPacket.parser();
      parser.on('packet', (packet) => {
        if (packet.cmd === 'connect') answer({ cmd: 'connack', returnCode: 0, sessionPresent: false });
        else if (packet.cmd === 'subscribe') {
          for (const { topic } of packet.subscriptions) subscribers.set(topic, socket);
          answer({ cmd: 'suback', messageId: packet.messageId!, granted: [1] });
        } else if (packet.cmd === 'publish') {
          messages.push(packet);
          if (packet.qos === 1) answer({ cmd: 'puback', messageId: packet.messageId! });
          if (packet.qos === 2) answer({ cmd: 'pubrec', messageId: packet.messageId! });
        } else if (packet.cmd === 'pubrel') answer({ cmd: 'pubcomp', messageId: packet.messageId! });
        else if (packet.cmd === 'pubrec') answer({ cmd: 'pubrel', messageId: packet.messageId! });
      });
      socket.on('data', (chunk) => {
        parser.parse(chunk);
        for (const message of tamper(messages)) subscribers.get(message.topic)?.write(mqttPacket.generate(message));
        messages = [];
      });
      socket.on('error', () => socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function run(port: number, change: Partial<TrafficPlan>): Promise<LoadResult> {
    const plan: TrafficPlan = {
      kind: 'traffic', pattern: 'pairs', publishers: 3, subscribers: 3, qos: 1, isPersistent: false, payloadBytes: 64,
      tempo: { window: 10 }, warmUpMs: 20, measureMs: 100, ...change,
    };
    const traffic = new Traffic(plan, { host: '127.0.0.1', ports: [port] });
    await traffic.prepare();
    return traffic.measure();
  }

  beforeEach(() => {
    sockets = new Set();
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  for (const qos of [0, 1, 2] as QoS[]) {
    it(`finds nothing wrong with a broker that keeps every QoS ${qos} message`, async () => {
      const result = await run(await startBroker((messages) => messages), { qos });
      assert.deepEqual(result.faults, good);
      assert.ok(result.units > 30, `${result.units} messages`);
      assert.ok(result.p50Micros! > 0 && result.p50Micros! <= result.p999Micros!);
    });
  }

  it('sends no more messages than it is told to when it is paced', async () => {
    const port = await startBroker((messages) => messages);
    const startedAtMs = performance.now();
    const { units, faults } = await run(port, { tempo: { perSecond: 2000 }, measureMs: 200 });
    assert.deepEqual(faults, good);
    const mostSent = 2 * (performance.now() - startedAtMs);
    assert.ok(units > 0 && units <= mostSent, `${units} messages`);
  });

  it('finds the message that came twice', async () => {
    const doubled = await run(await startBroker((messages) => messages.flatMap((message, index) => (index === 4 ? [message, message] : [message]))), {});
    assert.ok(doubled.faults.doubled > 0);
    assert.deepEqual({ ...doubled.faults, doubled: 0 }, good);
  });

  it('finds the messages that came in the wrong order', async () => {
    const { faults } = await run(await startBroker((messages) => messages.reverse()), {});
    assert.ok(faults.reordered > 0);
    assert.deepEqual({ ...faults, reordered: 0 }, good);
  });

  it('finds the message that never came, and goes on without it', async () => {
    // after the warm-up, whose end would wait for it in vain as well
    const dropFromMs = performance.now() + 60;
    let isDropped = false;
    const dropOne = (): boolean => !isDropped && performance.now() > dropFromMs && (isDropped = true);
    const port = await startBroker((messages) => messages.filter(() => !dropOne()));
    const { faults } = await run(port, { warmUpMs: 0 });
    assert.deepEqual(faults, { ...good, lost: 1 });
  }).timeout(15_000);

  it('rejects when the broker drops a connection', async () => {
    const port = await startBroker((messages) => messages);
    const running = run(port, { measureMs: 300 });
    setTimeout(() => [...sockets][0]?.destroy(), 100);
    await assert.rejects(running, /lost its connection/);
  });
});
