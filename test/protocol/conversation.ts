import assert from 'node:assert/strict';
import type { IConnectPacket, IPublishPacket, ISubackPacket, Packet } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import { startCluster, startNode, type NodeOptions, type TestCluster, type TestNode } from '../support/node.ts';
import { openPackets, type PacketClient, type PacketPart, type ProtocolVersion } from '../support/packets.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startRoundabout, type Roundabout } from '../support/roundabout.ts';

export const versions = [3, 4, 5] as const;
export const names: Readonly<Record<ProtocolVersion, string>> = { 3: 'MQTT 3.1', 4: 'MQTT 3.1.1', 5: 'MQTT 5.0' };

type Qos = 0 | 1 | 2;
type Options = NodeOptions | (() => NodeOptions);

/** Where clients connect: one node, or several that take turns. */
export interface Place {
  readonly port: number;
  readonly url: string;
  readonly isRunning: boolean;
  readonly nodes: readonly TestNode[];
}

/** How many nodes a conversation is held on; with more than one every connection goes to another than the last one. */
const nodeCount = Number(process.env['SWARMQ_TEST_NODES'] ?? 1);

/** One node for a whole suite, whatever the number of nodes: for what is by nature about one process. */
export function nodeFor(options: Options = {}): () => TestNode {
  let node: TestNode;
  before(async () => {
    const own = typeof options === 'function' ? options() : options;
    node = await startNode({ ...own, set: { 'drain.graceMs': 0, ...own.set } });
  });
  after(async () => {
    await node.stop();
  });
  return () => node;
}

/** Nodes of one cluster for a whole suite, behind one port that takes every client to another node than its last one. */
function clusterFor(options: NodeOptions): { place: () => Place; redis: () => RedisServer } {
  let cluster: TestCluster;
  let roundabout: Roundabout;
  let place: Place;
  before(async function () {
    this.timeout(60_000);
    cluster = await startCluster(nodeCount, options);
    roundabout = await startRoundabout(cluster.nodes.map((node) => node.port));
    const { port } = roundabout;
    place = {
      port,
      url: `mqtt://127.0.0.1:${port}`,
      nodes: cluster.nodes,
      get isRunning() {
        return cluster.nodes.every((node) => node.isRunning);
      },
    };
  });
  after(async () => {
    await roundabout.stop();
    await cluster.stop();
  });
  return { place: () => place, redis: () => cluster.redis! };
}

/** The same suite on a node with its store in memory, and on one with Redis; or on as many as SWARMQ_TEST_NODES says. */
export function forEachStore(noun: string, body: (place: () => Place, redis: () => RedisServer | null) => void, options: NodeOptions = {}): void {
  if (nodeCount > 1) {
    describe(`${noun}, on ${nodeCount} nodes`, () => {
      const { place, redis } = clusterFor(options);
      body(place, redis);
    });
    return;
  }
  describe(`${noun}, the store in memory`, () => {
    body(nodeFor(options), () => null);
  });
  describe(`${noun}, the store in Redis`, () => {
    let redis: RedisServer;
    before(async () => {
      redis = await startRedis();
    });
    body(nodeFor(() => ({ ...options, redis: redis.url })), () => redis);
    after(() => redis.stop());
  });
}

/** As `forEachStore`, for tests that mostly wait: each runs on both stores at the same time. */
export function onBothStores(noun: string, body: (test: (title: string, run: (place: Place) => Promise<void>) => void) => void): void {
  if (nodeCount > 1) {
    describe(`${noun}, on ${nodeCount} nodes`, () => {
      const { place } = clusterFor({});
      body((title, run) => {
        it(title, () => run(place()));
      });
    });
    return;
  }
  describe(`${noun}, the store in memory and in Redis`, () => {
    let redis: RedisServer;
    before(async () => {
      redis = await startRedis();
    });
    const inMemory = nodeFor();
    const inRedis = nodeFor(() => ({ redis: redis.url }));
    body((title, run) => {
      it(title, async () => {
        await Promise.all([
          run(inMemory()).catch((cause: unknown) => Promise.reject(new Error(`in memory: ${String(cause)}`, { cause }))),
          run(inRedis()).catch((cause: unknown) => Promise.reject(new Error(`in Redis: ${String(cause)}`, { cause }))),
        ]);
      });
    });
    after(() => redis.stop());
  });
}

/** The same tests in each version of the protocol. */
export function forEachVersion(body: (version: ProtocolVersion) => void): void {
  for (const version of versions) {
    describe(names[version], () => {
      body(version);
    });
  }
}

/** Connects and is accepted. */
export async function enter(node: Pick<Place, 'port'>, version: ProtocolVersion, packet: Partial<IConnectPacket> = {}): Promise<PacketClient> {
  const client = await openPackets(node.port, version);
  const connack = await client.connect(packet);
  assert.equal(codeOf(connack), 0, 'CONNACK');
  return client;
}

/** The reason code of MQTT 5, or the return code of MQTT 3. */
export function codeOf(packet: { readonly returnCode?: number | undefined; readonly reasonCode?: number | undefined }): number {
  return packet.reasonCode ?? packet.returnCode ?? 0;
}

/** What a CONNECT says for a session that lasts. */
export function lasting(version: ProtocolVersion, seconds = 3600): Partial<IConnectPacket> {
  return { clean: false, ...(version === 5 ? { properties: { sessionExpiryInterval: seconds } } : {}) };
}

/** SUBSCRIBE to one filter; gives the code of the SUBACK, which is the next packet. */
export async function subscribe(client: PacketClient, topic: string, qos: Qos, more: Readonly<Record<string, unknown>> = {}): Promise<number> {
  const { properties, ...options } = more;
  client.send({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [{ topic, qos, ...options }],
    ...(properties === undefined ? {} : { properties }),
  } as Packet);
  const suback = (await client.expect({ cmd: 'suback', messageId: 1 })) as ISubackPacket;
  return suback.granted[0] as number;
}

export function message(topic: string, payload: string | Buffer, qos: Qos, more: Partial<IPublishPacket> = {}): IPublishPacket {
  return { cmd: 'publish', topic, payload, qos, dup: false, retain: false, ...(qos > 0 ? { messageId: 1 } : {}), ...more };
}

/**
 * Sends a message and goes through the exchange of its QoS.
 *
 * A subscription on another node holds for QoS 1 and 2 from its SUBACK on, but for QoS 0 only when this client's node has
 * heard of it; which it has when it acknowledges a message.
 */
export async function send(client: PacketClient, packet: IPublishPacket): Promise<void> {
  const { qos, messageId } = packet;
  if (qos === 0 && nodeCount > 1) await send(client, message('$to/nobody', '', 1, { messageId: 65_535 }));
  client.send(packet);
  if (qos === 1) await client.expect({ cmd: 'puback', messageId });
  if (qos !== 2) return;
  await client.expect({ cmd: 'pubrec', messageId });
  client.send({ cmd: 'pubrel', messageId });
  await client.expect({ cmd: 'pubcomp', messageId });
}

/** Takes the next message, which must be this one, and goes through the exchange of its QoS. */
export async function take(client: PacketClient, part: Omit<PacketPart, 'cmd'>): Promise<IPublishPacket> {
  const packet = (await client.expect({ cmd: 'publish', ...part })) as IPublishPacket;
  const { qos, messageId } = packet;
  if (qos === 1) client.send({ cmd: 'puback', messageId });
  if (qos === 2) {
    client.send({ cmd: 'pubrec', messageId });
    await client.expect({ cmd: 'pubrel', messageId });
    client.send({ cmd: 'pubcomp', messageId });
  }
  return packet;
}

/** DISCONNECT, and the end of the connection. */
export async function leave(client: PacketClient, packet: Readonly<Record<string, unknown>> = {}): Promise<void> {
  client.send({ cmd: 'disconnect', ...packet });
  await client.expectClosed();
}

/** Breaks the connection off, and waits until its node has noticed. */
export async function breakOff(place: Place, client: PacketClient): Promise<void> {
  const before = await closedBy(place, 'client');
  client.destroy();
  await eventually(async () => (await closedBy(place, 'client')) > before, { what: 'end of the connection at its node' });
}

/** The value of a counter on the metrics page, 0 while it is not there; of several nodes the sum. */
export async function counted({ nodes }: Pick<Place, 'nodes'>, name: string, label = ''): Promise<number> {
  const values = await Promise.all(
    nodes.map(async ({ adminUrl }) => {
      const page = await (await fetch(`${adminUrl}/metrics`)).text();
      const line = page.split('\n').find((text) => text.startsWith(`${name}{`) && text.includes(label));
      return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
    }),
  );
  return values.reduce((sum, value) => sum + value, 0);
}

/** How many connections ended for this reason. */
export function closedBy(place: Pick<Place, 'nodes'>, reason: string): Promise<number> {
  return counted(place, 'swarmq_connections_closed_total', `reason="${reason}"`);
}
