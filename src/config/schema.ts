import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { authOptions } from './auth.ts';
import { bridgeRuleOptions, makeBridgeRule } from './bridge-rule.ts';
import { checkRedisUrl, checkServerReference } from './endpoint.ts';
import { checkResponseInformation } from './response-information.ts';
import { kafkaOptions } from './kafka.ts';
import { listenerOptions, makeListener } from './listener.ts';
import { choice, integer, optionalAddress, optionalText, records, text, toggle, type Values } from './option.ts';

const MiB = 1024 * 1024;
const day = 86_400;

/** Every option of a node. Times and sizes have their unit in the name. */
export const options = {
  node: {
    id: text({
      default: 'host name and a random end',
      makeDefault: makeNodeId,
      flag: '--node-id <id>',
      text: 'The name of this node in the cluster: letters, digits, `.`, `_`, `-`. No two live nodes may share one.',
      check: (id) => (/^[A-Za-z0-9._-]{1,64}$/.test(id) ? null : 'is no node id: use 1 to 64 letters, digits, . _ or -'),
    }),
  },
  log: {
    level: choice(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
      default: 'info',
      reloadable: true,
      flag: '--log-level <level>',
      text: 'The least level that is logged. The log is one JSON object a line on standard output.',
    }),
  },
  listeners: records(listenerOptions, {
    default: [makeListener({ url: 'mqtt://127.0.0.1:1883', tls: noTls(), maxConnections: 0 }, () => undefined)],
    shorthand: 'url',
    make: makeListener,
    flag: '--listen <url>',
    text: 'Where MQTT clients connect.',
  }),
  allowAnonymous: toggle({
    default: false,
    flag: '--allow-anonymous',
    text: 'Let clients in that do not say who they are. Without it they are refused wherever authentication is configured; where none '
      + 'is, only loopback addresses may be listened on. With it and no authentication anyone who reaches the port can read and write every topic.',
  }),
  auth: authOptions,
  redis: {
    url: optionalText({
      flag: '--redis <url>',
      text: 'The Redis that all nodes share: `redis://host:6379`; `redis+sentinel://host:26379,host:26379/name` for the primary that Sentinel '
        + 'calls so; `redis+cluster://host:6379,host:6379` for a Redis Cluster. `rediss` instead of `redis`: over TLS. User, password and database '
        + 'when needed. Absent: one node alone, on a store in memory that is gone when it stops.',
      check: checkRedisUrl,
    }),
    password: optionalText({ secret: true, text: 'The password of Redis, when it is kept apart from the URL.' }),
    sentinelPassword: optionalText({ secret: true, text: 'The password of the Sentinels, when they ask for one.' }),
    allowEviction: toggle({
      default: false,
      text: 'Start on a Redis that throws keys away when it is full (`maxmemory-policy allkeys-…`): sessions, queues and acknowledged messages '
        + 'can be lost then.',
    }),
    prefix: text({
      default: 'sq:',
      text: 'What every Redis key starts with. Nodes of one cluster share it; two clusters on one Redis differ in it.',
      check: (prefix) => (/^[^\s{}]{1,32}$/.test(prefix) ? null : 'is no prefix: use 1 to 32 characters without blanks and braces'),
    }),
    connectTimeoutMs: integer({ default: 5_000, min: 100, max: 600_000, unit: 'ms', text: 'How long one attempt to connect may take.' }),
    commandTimeoutMs: integer({
      default: 5_000,
      min: 100,
      max: 600_000,
      unit: 'ms',
      text: 'How long a reply may take before the connection counts as lost and is made anew.',
    }),
  },
  kafka: kafkaOptions,
  bridge: {
    rules: records(bridgeRuleOptions, {
      default: [],
      make: makeBridgeRule,
      text: 'Which messages go to Kafka. Needs `kafka.brokers` and `redis.url`.',
    }),
    outbox: {
      maxRecords: integer({
        default: 1_000_000,
        min: 1,
        unit: 'records',
        text: 'Most records, of all rules together, that wait for Kafka.',
      }),
      whenFull: choice(['block', 'drop-oldest', 'drop-newest'], {
        default: 'block',
        text: 'At that limit: `block` holds the publishers\' acknowledgements until there is room; the others lose records and count them.',
      }),
    },
    batch: {
      maxRecords: integer({ default: 1_000, min: 1, max: 100_000, unit: 'records', text: 'Most records of one request to Kafka.' }),
      lingerMs: integer({
        default: 5,
        min: 0,
        max: 60_000,
        unit: 'ms',
        text: 'How long a request that is not full waits for more records.',
      }),
      maxBytes: integer({
        default: 900_000,
        min: 1_000,
        max: 100_000_000,
        unit: 'bytes',
        text: 'Most bytes of one request to Kafka. Kafka refuses more than `message.max.bytes` of its own (1 MiB by default) for one partition.',
      }),
    },
    deadLetterTopic: text({
      default: 'swarmq.dead-letter',
      text: 'The Kafka topic for records that are not fit for their own: too large, unreadable, or with a topic that has no valid name. '
        + 'Empty: they are dropped and counted.',
      check: (topic) => (/^[A-Za-z0-9._-]{0,249}$/.test(topic) ? null : 'is no Kafka topic: use up to 249 letters, digits, . _ or -'),
    }),
  },
  admin: {
    listen: optionalAddress({
      flag: '--admin <host:port>',
      text: 'Where health and metrics are served over HTTP. Absent: nowhere. Port 0: any free one.',
    }),
  },
  mqtt: {
    maxPacketBytes: integer({
      default: MiB,
      min: 256,
      max: 268_435_460,
      unit: 'bytes',
      text: 'The largest packet a client may send.',
    }),
    maxKeepAliveSeconds: integer({
      default: 65_535,
      min: 1,
      max: 65_535,
      unit: 's',
      text: 'The longest keep-alive. An MQTT 5 client that asks for more, or for none, is given this one; MQTT 3 has no way to say so.',
    }),
    receiveMaximum: integer({
      default: 1_000,
      min: 1,
      max: 65_535,
      unit: 'messages',
      text: 'Most QoS 1 and 2 messages that a client may have sent without an acknowledgement. MQTT 3 clients are read more slowly instead.',
    }),
    maxInflight: integer({
      default: 1_000,
      min: 1,
      max: 65_534,
      unit: 'messages',
      text: 'Most QoS 1 and 2 messages on their way to an MQTT 3 client. MQTT 5 clients say it themselves.',
    }),
    maxTopicLevels: integer({ default: 128, min: 1, max: 65_535, text: 'Most levels of a topic or filter.' }),
    maxSubscriptionsPerClient: integer({ default: 1_000, min: 1, text: 'Most subscriptions of one session.' }),
    maxClientIdBytes: integer({ default: 256, min: 23, max: 65_535, unit: 'bytes', text: 'The longest client id, in UTF-8.' }),
    topicAliasMaximum: integer({ default: 32, min: 0, max: 65_535, text: 'Most topic aliases that an MQTT 5 client may set.' }),
    outgoingTopicAliases: integer({
      default: 16,
      min: 0,
      max: 65_535,
      text: 'Most topic aliases in use toward an MQTT 5 client that takes any; its own maximum counts too. Topics that come again get them. 0: none.',
    }),
    maximumQos: integer({
      default: 2,
      min: 0,
      max: 2,
      text: 'The highest QoS that clients may publish with; subscriptions are granted it at most. A client that goes beyond is disconnected.',
    }),
    retainAvailable: toggle({
      default: true,
      text: 'Whether clients may have messages retained, and get retained ones. A client that sends one nevertheless is disconnected.',
    }),
    wildcardsAvailable: toggle({ default: true, text: 'Whether filters may hold wildcards.' }),
    sharedAvailable: toggle({ default: true, text: 'Whether clients may share subscriptions (`$share/…`).' }),
    subscriptionIdsAvailable: toggle({ default: true, text: 'Whether subscriptions of MQTT 5 may have identifiers.' }),
    checkPayloadFormat: toggle({
      default: false,
      text: 'Refuse messages, and wills, whose payload format indicator says UTF-8 and whose payload is something else.',
    }),
    responseInformation: optionalText({
      text: 'What a client that asks for Response Information is told: the topic under which it may expect answers, for example '
        + '`responses/${clientid}`; `${username}` stands for itself too. Absent: nothing.',
      check: checkResponseInformation,
    }),
    connectTimeoutMs: integer({
      default: 10_000,
      min: 100,
      max: 600_000,
      unit: 'ms',
      text: 'How long a new connection may take until its CONNECT is complete.',
    }),
    maxConnections: integer({ default: 100_000, min: 1, unit: 'connections', text: 'Most connections of this node.' }),
    connectsPerSecond: integer({
      default: 1_000,
      min: 1,
      unit: 'per second',
      text: 'How many CONNECTs this node answers per second. More wait for their turn, at most `mqtt.connectTimeoutMs`, '
        + 'so that a storm of them does not slow down those that are connected.',
    }),
    maxWaitingConnects: integer({
      default: 1_000,
      min: 0,
      unit: 'connections',
      text: 'Most CONNECTs that wait for their turn. Over it they are refused and may come back later: MQTT 5 by 0x97, or 0x9C and `redirect.temporary` where that is set, '
        + 'MQTT 3 by server unavailable.',
    }),
  },
  redirect: {
    temporary: optionalText({
      text: 'Where MQTT 5 clients go that a node sends away because it leaves or is full, or because too many connect at once (0x9C, Use another server): `host` or `host:port`, '
        + 'or several of them with blanks between. Absent: they are told nothing and connect to the same address again.',
      check: checkServerReference,
    }),
    permanent: optionalText({
      text: 'Where this server has moved for good, in the same form: every MQTT 5 client that connects is sent there (0x9D, Server moved), '
        + 'every other one is refused.',
      check: checkServerReference,
    }),
  },
  session: {
    maxExpirySeconds: integer({
      default: 30 * day,
      min: 0,
      max: 4_294_967_295,
      unit: 's',
      text: 'The longest that a session outlives its connection, whatever the client asks for. 4294967295: for ever.',
    }),
    defaultExpirySeconds: integer({
      default: 7 * day,
      min: 0,
      max: 4_294_967_295,
      unit: 's',
      text: 'How long a persistent session of MQTT 3, which cannot say it, outlives its connection.',
    }),
  },
  shared: {
    strategy: choice(['round-robin', 'random', 'local-first', 'sticky-publisher', 'sticky-topic'], {
      default: 'round-robin',
      text: 'Which member of a shared subscription gets a message, among those that are connected. '
        + '`local-first`: one on the node where the message came in; `sticky-…`: the same one for the same publisher or topic.',
    }),
  },
  queue: {
    maxMessages: integer({
      default: 100_000,
      min: 1,
      unit: 'messages',
      text: 'Most QoS 1 and 2 messages that wait for one session. Those on their way to a connected client come on top.',
    }),
    maxBytes: integer({
      default: 64 * MiB,
      min: 65_536,
      unit: 'bytes',
      text: 'Most bytes of the messages that wait for one session, with their topics and properties; in Redis, of the memory that they take there.',
    }),
    whenFull: choice(['drop-oldest', 'drop-newest', 'disconnect'], {
      default: 'drop-oldest',
      text: 'At either limit: the oldest message that waits goes, the new one does, or the client is sent away (MQTT 5: 0x97), and while '
        + 'it is away new ones go. All are counted. The publisher hears of success in each case.',
    }),
  },
  sys: {
    intervalSeconds: integer({
      default: 10,
      min: 0,
      max: 86_400,
      unit: 's',
      text: 'How often the `$SYS` topics are sent to those who subscribed to them on this node. 0: there are none.',
    }),
    clientEvents: toggle({
      default: false,
      text: 'Tell subscribers of `$SYS/brokers/<node>/clients/#` of each client that comes or goes, by its client id and user name.',
    }),
  },
  retained: {
    maxMessages: integer({
      default: 2_000_000,
      min: 1,
      unit: 'messages',
      text: 'Most retained messages of the cluster. When it is reached no new topic is retained: its message is delivered, and counted. '
        + 'What is retained already can still be replaced and removed.',
    }),
    maxBytes: integer({
      default: 1024 * MiB,
      min: 65_536,
      unit: 'bytes',
      text: 'Most bytes of all retained messages of the cluster, topics and properties included; the same happens when it is reached. '
        + 'Redis needs 400 bytes more for each message.',
    }),
    maxPayloadBytes: integer({ default: MiB, min: 0, unit: 'bytes', text: 'The largest payload that is retained.' }),
  },
  socket: {
    highWaterBytes: integer({
      default: MiB,
      min: 16_384,
      unit: 'bytes',
      text: 'Bytes that may wait in one connection. Over it QoS 0 messages to this client are dropped and counted; QoS 1 and 2 wait in the queue.',
    }),
  },
  cluster: {
    leaseMs: integer({
      default: 6_000,
      min: 500,
      max: 600_000,
      unit: 'ms',
      text: 'How long a node that went silent is believed alive. After it another node publishes its wills and frees its sessions.',
    }),
    renewMs: integer({
      default: 2_000,
      min: 100,
      max: 200_000,
      unit: 'ms',
      text: 'How often a node renews its lease; at most half of `cluster.leaseMs`.',
    }),
  },
  commit: {
    maxMessages: integer({ default: 5_000, min: 1, max: 100_000, unit: 'messages', text: 'Most messages of one commit.' }),
    maxPendingBytes: integer({
      default: 64 * MiB,
      min: 65_536,
      unit: 'bytes',
      text: 'Bytes that may wait for a commit. Over it the node stops reading from those who publish what needs one.',
    }),
    waitReplicas: integer({
      default: 0,
      min: 0,
      max: 100,
      text: 'How many replicas of Redis must have a commit before it is acknowledged (`WAIT`). With fewer, acknowledgements wait. '
        + '0: none, so a failover of Redis can lose what was acknowledged in its last moments.',
    }),
    waitTimeoutMs: integer({
      default: 1_000,
      min: 10,
      max: 60_000,
      unit: 'ms',
      text: 'After so long without enough replicas the node says so and waits on: it is not ready, and refuses clients that connect.',
    }),
  },
  drain: {
    graceMs: integer({
      default: 1_000,
      min: 0,
      max: 600_000,
      unit: 'ms',
      text: 'How long a stopping node only says that it is not ready, so that load balancers look elsewhere, before it sends clients away.',
    }),
    perSecond: integer({
      default: 500,
      min: 1,
      unit: 'per second',
      text: 'How many clients a draining node sends away per second.',
    }),
    waitMs: integer({
      default: 30_000,
      min: 0,
      max: 3_600_000,
      unit: 'ms',
      text: 'The longest that a drain may take; then the rest is closed at once.',
    }),
  },
} as const;

/** A complete, checked configuration. */
export type Config = Values<typeof options>;

function makeNodeId(): string {
  const host = hostname().replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 50);
  return `${host}-${randomBytes(3).toString('hex')}`;
}

function noTls(): { certFile: null; keyFile: null; caFile: null; requestCertificate: false } {
  return { certFile: null, keyFile: null, caFile: null, requestCertificate: false };
}
