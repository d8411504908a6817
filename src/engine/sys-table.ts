import { release } from '../base/release.ts';
import { PacketType } from '../codec/packets.ts';
import type { Engine } from './engine.ts';
import type { LoadAverages, Minutes } from './load-averages.ts';
import type { SysFigures } from './sys-figures.ts';

/** What the table's values are read from. */
export interface SysSource {
  readonly engine: Engine;
  readonly figures: SysFigures;
  readonly loads: LoadAverages<LoadName>;
}

/** A topic that this node answers for. `${node}` in its name stands for the node's id. */
export interface SysTopic {
  readonly topic: string;
  readonly text: string;
  readonly read: (source: SysSource) => string | number;
}

type Read = SysTopic['read'];

/** What load averages are kept of, and where its count is. */
export const loadCounts = {
  connections: ['connects accepted', (engine) => engine.count.connects.value],
  sockets: ['connections opened', (engine) => engine.count.accepted.value],
  'messages/received': ['packets received', (engine) => sum(engine.count.packetsReceived)],
  'messages/sent': ['packets sent', (engine) => sum(engine.count.packetsSent)],
  'publish/received': ['PUBLISH packets received', (engine) => engine.count.packetsReceived[PacketType.publish]!.value],
  'publish/sent': ['PUBLISH packets sent', (engine) => engine.count.packetsSent[PacketType.publish]!.value],
  'publish/dropped': ['messages dropped', (engine) => engine.count.dropped.total()],
  'bytes/received': ['bytes received', (engine) => engine.count.bytesReceived.value],
  'bytes/sent': ['bytes sent', (engine) => engine.count.bytesSent.value],
} as const satisfies Readonly<Record<string, readonly [text: string, count: (engine: Engine) => number]>>;

export type LoadName = keyof typeof loadCounts;

const spans: readonly Minutes[] = [1, 5, 15];

const connected: Read = ({ engine }) => engine.sessions.size;
const mostConnected: Read = ({ figures }) => figures.mostConnected;
const received: Read = ({ engine }) => sum(engine.count.packetsReceived);
const sent: Read = ({ engine }) => sum(engine.count.packetsSent);
const publishesReceived: Read = ({ engine }) => engine.count.packetsReceived[PacketType.publish]!.value;
const publishesSent: Read = ({ engine }) => engine.count.packetsSent[PacketType.publish]!.value;
const dropped: Read = ({ engine }) => engine.count.dropped.total();
const bytesReceived: Read = ({ engine }) => engine.count.bytesReceived.value;
const bytesSent: Read = ({ engine }) => engine.count.bytesSent.value;
const subscriptions: Read = ({ engine }) => engine.subscribed.all;
const shared: Read = ({ engine }) => engine.subscribed.shared;
const retained: Read = ({ engine }) => engine.retainedSize.messages;
const stored: Read = ({ engine, figures }) => engine.retainedSize.messages + figures.waiting.messages;

/** The names that users of mosquitto know, under `$SYS/broker`: what the asked node says of itself. */
const broker: readonly (readonly [string, string, Read])[] = [
  ['version', 'Name and release', () => `swarmq version ${release}`],
  ['uptime', 'How long the node has run, in seconds', ({ figures }) => `${figures.uptimeSeconds} seconds`],
  ['clients/connected', 'Clients connected to this node', connected],
  ['clients/active', 'The same, under its older name', connected],
  ['clients/maximum', 'The most that were connected at a time, looked at once a second', mostConnected],
  ['clients/expired', 'Sessions that this node ended because their expiry had passed', ({ engine }) => engine.count.expiredSessions.value],
  ['messages/received', 'MQTT packets of any type received', received],
  ['messages/sent', 'MQTT packets of any type sent', sent],
  ['messages/stored', 'Retained messages of the cluster, and messages that wait in this node for its clients', stored],
  ['publish/messages/received', 'PUBLISH packets received', publishesReceived],
  ['publish/messages/sent', 'PUBLISH packets sent', publishesSent],
  ['publish/messages/dropped', 'Messages that a subscriber did not get, for whatever reason', dropped],
  ['publish/bytes/received', 'Bytes of payload received', ({ engine }) => engine.count.publishBytesReceived.value],
  ['publish/bytes/sent', 'Bytes of payload sent', ({ engine }) => engine.count.publishBytesSent.value],
  ['bytes/received', 'Bytes of MQTT received', bytesReceived],
  ['bytes/sent', 'Bytes of MQTT sent', bytesSent],
  ['subscriptions/count', 'Subscriptions of the clients connected to this node', subscriptions],
  ['shared_subscriptions/count', 'Those of them that are shared', shared],
  ['retained messages/count', 'Retained messages of the cluster, at most a few seconds old', retained],
  ['store/messages/count', 'The same as `messages/stored`', stored],
  ['store/messages/bytes', 'Bytes of these', ({ engine, figures }) => engine.retainedSize.bytes + figures.waiting.bytes],
  ['heap/current', 'Bytes of memory in use by the program', ({ figures }) => figures.heapBytes],
  ['heap/maximum', 'The most there were when somebody looked', ({ figures }) => figures.mostHeapBytes],
];

/** Packets that clients send, and those that a server sends. */
const toServer = ['connect', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'subscribe', 'unsubscribe', 'pingreq', 'disconnect', 'auth'] as const;
const toClient = ['connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback', 'pingresp', 'disconnect', 'auth'] as const;

/** The names that users of EMQX know, under `$SYS/brokers/${node}`. */
const node: readonly (readonly [string, string, Read])[] = [
  ['version', 'Release', () => release],
  ['uptime', 'How long the node has run, in seconds', ({ figures }) => figures.uptimeSeconds],
  ['datetime', 'The time of the cluster', ({ engine }) => new Date(engine.clock.now()).toISOString()],
  ['sysdescr', 'What this is', () => 'Swarmq'],
  ['stats/connections/count', 'Clients connected to this node', connected],
  ['stats/connections/max', 'The most that were connected at a time', mostConnected],
  ['stats/subscriptions/count', 'Subscriptions of the clients connected to this node', subscriptions],
  ['stats/subscriptions/shared/count', 'Those of them that are shared', shared],
  ['stats/routes/count', 'Routes that the node knows, of all nodes', ({ engine }) => engine.routes.size],
  ['stats/retained/count', 'Retained messages of the cluster', retained],
  ['metrics/bytes/received', 'Bytes of MQTT received', bytesReceived],
  ['metrics/bytes/sent', 'Bytes of MQTT sent', bytesSent],
  ['metrics/packets/received', 'MQTT packets received', received],
  ['metrics/packets/sent', 'MQTT packets sent', sent],
  ...toServer.map((name) => packets(name, 'received')),
  ...toClient.map((name) => packets(name, 'sent')),
  ['metrics/messages/received', 'PUBLISH packets received', publishesReceived],
  ['metrics/messages/sent', 'PUBLISH packets sent', publishesSent],
  ['metrics/messages/dropped', 'Messages that a subscriber did not get, for whatever reason', dropped],
  ['metrics/messages/dropped/expired', 'Those of them whose time had passed', ({ engine }) => engine.count.dropped.of('expired').value],
];

function packets(name: keyof typeof PacketType, way: 'received' | 'sent'): readonly [string, string, Read] {
  const type = PacketType[name];
  const read: Read = ({ engine: { count } }) => (way === 'received' ? count.packetsReceived : count.packetsSent)[type]!.value;
  return [`metrics/packets/${name}/${way}`, `${name.toUpperCase()} packets ${way}`, read];
}

/** Every topic whose value a node tells at the interval, and to whoever subscribes. */
export const sysTopics: readonly SysTopic[] = [
  ...broker.map(([name, text, read]) => ({ topic: `$SYS/broker/${name}`, text, read })),
  ...(Object.keys(loadCounts) as LoadName[]).flatMap((name) =>
    spans.map((span) => ({
      topic: `$SYS/broker/load/${name}/${span}min`,
      text: `Moving average over ${span} min: ${loadCounts[name][0]} per minute`,
      read: ({ loads }: SysSource) => loads.of(name, span).toFixed(2),
    })),
  ),
  { topic: '$SYS/brokers', text: 'The living nodes of the cluster, with commas between', read: ({ figures }) => figures.nodes.join(',') },
  ...node.map(([name, text, read]) => ({ topic: `$SYS/brokers/\${node}/${name}`, text, read })),
];

function sum(counters: readonly { readonly value: number }[]): number {
  return counters.reduce((total, { value }) => total + value, 0);
}
