import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { FrameReader } from '../../src/codec/frames.ts';
import { packet, randomFrom } from '../support/codec.ts';
import { eventually, within } from '../support/eventually.ts';
import { bend, bendBody, makeConnect, makePacket } from '../support/packet-maker.ts';
import type { ProtocolVersion } from '../support/packets.ts';
import type { RedisServer } from '../support/redis.ts';
import { framesIn, judge, judgeConnect, type Judgement, type Standing } from '../support/standard.ts';
import { startCanary } from './canary.ts';
import { closedBy, counted, forEachStore, versions, type Place } from './conversation.ts';

/*
 * Conversations of made and bent packets with a living node. For each the standard says beforehand how far it goes: the node must
 * answer all PINGREQs that come before the first packet that is to be refused, refuse that one with a code that is right for it, and
 * refuse no other.
 *
 * SWARMQ_FUZZ_PACKETS tells how many packets, SWARMQ_FUZZ_SEED the first conversation; a failure prints what runs that one alone.
 */
const packets = Number(process.env['SWARMQ_FUZZ_PACKETS'] ?? 20_000);
const seed = Number(process.env['SWARMQ_FUZZ_SEED'] ?? 20);
const perConversation = 12;
const atOnce = 16;
const patienceMs = 20_000;
const maxPacketBytes = 1_048_576;
const aliasMaximum = 32;

interface Conversation {
  readonly version: ProtocolVersion;
  readonly bytes: Buffer;
  readonly count: number;
  readonly cut: number;
}

/** The conversation of this number: always the same. */
function conversation(number: number): Conversation {
  const random = randomFrom(number);
  const version = versions[random(3)]!;
  // nobody else has this name, bent or not
  const connect = makeConnect(random, version, `fuzz-${number}-${random(1e9)}`);
  const parts = [random(12) === 0 ? bendBody(connect, makePacket(random, version), random) : connect];
  while (parts.length < perConversation) {
    const whole = makePacket(random, version);
    const kind = random(24);
    parts.push(kind === 0 ? bend(whole, makePacket(random, version), random) : kind === 1 ? bendBody(whole, makePacket(random, version), random) : whole);
  }
  parts.push(packet(0xc0, Buffer.alloc(0)));
  const bytes = Buffer.concat(parts);
  return { version, bytes, count: parts.length, cut: random(bytes.length) };
}

interface Expected {
  /** how many of the bytes are sent: to the end of what ends it, because what a node leaves unread may cost us its last words */
  length: number;
  /** PINGREQs before anything is refused */
  pings: number;
  /** what may end it early: each with how many PINGREQs stand before it */
  readonly doubts: { readonly pings: number; readonly codes: ReadonlySet<number> }[];
  /** what must end it: the codes; null when nothing is to be refused */
  refusal: ReadonlySet<number> | null;
  /** it ends with a DISCONNECT, so the node closes the connection */
  isLeft: boolean;
  isAccepted: boolean;
  version: ProtocolVersion;
}

/** What the standard says of the conversation. */
function expectedOf({ version, bytes }: Conversation): Expected {
  const expected: Expected = { length: bytes.length, pings: 0, doubts: [], refusal: null, isLeft: false, isAccepted: false, version };
  const take = ({ refusal, codes }: Judgement): boolean => {
    if (refusal === 'must') expected.refusal = codes;
    else if (refusal === 'may') expected.doubts.push({ pings: expected.pings, codes });
    return refusal !== 'must';
  };
  let standing: Standing | null = null;
  for (const frame of framesIn(bytes, version, maxPacketBytes)) {
    expected.length = frame.end;
    if ('fault' in frame) {
      take(frame.fault);
      break;
    }
    const { first, body } = frame;
    const type = first >> 4;
    if (standing === null) {
      if (type !== 1) {
        expected.refusal = new Set([0x81, 0x82]);
        break;
      }
      const connect = judgeConnect(first, body);
      expected.version = connect.version;
      if (!take(connect)) break;
      expected.isAccepted = true;
      standing = { version: connect.version, isConnected: true, endsWithConnection: false, aliasMaximum, aliases: new Set() };
      continue;
    }
    const judged = judge(first, body, standing);
    // no AUTH is due where no method was agreed on
    if (!take(type === 15 ? { refusal: 'must', codes: new Set([...judged.codes, 0x82]) } : judged)) break;
    // of messages to this client the test knows nothing, so an acknowledgement may be of the wrong kind
    if (type === 4 || type === 5 || type === 7) take({ refusal: 'may', codes: new Set([0x82]) });
    // whether the session ends with its connection stands in a CONNECT that may be bent
    if (type === 14 && standing.version === 5) take({ refusal: 'may', codes: new Set([0x82]) });
    expected.isLeft = type === 14;
    if (expected.isLeft) break;
    if (type === 12) expected.pings++;
  }
  return expected;
}

interface Answer {
  pings: number;
  connack: number | null;
  disconnect: number | null;
  isReset: boolean;
}

/** Sends it, and gives what came until the node closed the connection, or has answered all and we close it. */
async function converse(port: number, { bytes, cut }: Conversation, { version, length, pings, refusal, isLeft }: Expected): Promise<Answer> {
  const socket = connectTcp(port, '127.0.0.1');
  const answer: Answer = { pings: 0, connack: null, disconnect: null, isReset: false };
  socket.on('error', () => (answer.isReset = true));
  const frames = new FrameReader(100_000_000);
  socket.on('data', (chunk) => {
    frames.push(chunk);
    while (frames.next()) {
      if (frames.first === 0xd0) answer.pings++;
      if (frames.first === 0x20) answer.connack = frames.buffer[frames.start + 1]!;
      if (frames.first === 0xe0) answer.disconnect = frames.start < frames.end ? frames.buffer[frames.start]! : 0;
    }
    // a node need not answer somebody who has gone
    if (answer.connack !== null && answer.pings === pings && refusal === null && !isLeft) socket.end();
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(bytes.subarray(0, Math.min(cut, length)));
  if (cut % 2 === 0) await new Promise(setImmediate);
  socket.write(bytes.subarray(Math.min(cut, length), length));
  try {
    await within(closed, patienceMs, `the end of a version ${version} connection`);
  } finally {
    socket.destroy();
  }
  return answer;
}

function expectAgreement({ pings, doubts, refusal, isAccepted, version }: Expected, answer: Answer): void {
  // closed in the middle of what it may refuse: the rest was left unread
  if (answer.isReset && doubts.length > 0) return;
  const hex = (codes: ReadonlySet<number>): string => [...codes].map((code) => code.toString(16)).join();
  if (!isAccepted) {
    assert.notEqual(answer.connack, 0, `accepted, and CONNECT is to be refused with ${hex(refusal!)}`);
    if (version === 5 && answer.connack !== null) assert.ok(refusal!.has(answer.connack), `CONNACK ${answer.connack.toString(16)}, not ${hex(refusal!)}`);
    return;
  }
  const isEarly = doubts.some((doubt) => doubt.pings === answer.pings && (version !== 5 || doubt.codes.has(answer.disconnect ?? answer.connack ?? 0)));
  if (isEarly && (answer.connack !== 0 || answer.pings < pings || answer.disconnect !== null)) return;
  assert.equal(answer.connack, 0, 'CONNECT is to be accepted');
  assert.equal(answer.pings, pings, `PINGREQs that are answered; DISCONNECT ${answer.disconnect?.toString(16)}`);
  if (version !== 5) return;
  if (refusal === null) assert.equal(answer.disconnect, null, 'no packet is to be refused');
  // a client's own maximum packet size never hides a DISCONNECT without properties
  else assert.ok(answer.disconnect !== null && refusal.has(answer.disconnect), `DISCONNECT ${answer.disconnect?.toString(16)}, not ${hex(refusal)}`);
}

/** Kilobytes that the processes hold. */
async function resident(place: Place): Promise<number> {
  return (await counted(place, 'process_resident_memory_bytes')) / 1024;
}

/** No session, route or reminder is left. What ended is kept for a minute, for a call that is repeated. */
async function expectNothingLeft(server: RedisServer): Promise<void> {
  const client = server.client();
  let left: string[] = [];
  const look = async (): Promise<boolean> => {
    const keys = await client.keys('sq:*');
    left = keys.filter((key) => (/^sq:(s:|due:)/.test(key) && !key.endsWith(':ended')) || key === 'sq:{routes}:table');
    return left.length === 0;
  };
  await eventually(look, { withinMs: 30_000, what: () => `end of what the sessions left in Redis: ${left.slice(0, 10).join(' ')} and others, ${left.length} in all` });
}

forEachStore(
  `${packets} packets, made and bent`,
  (place, redis) => {
    it(`are refused when the standard says so, and nothing else happens (from conversation ${seed})`, async function () {
      this.timeout(120_000 + packets);
      const canary = packets < 1_000 ? null : await startCanary(place().port);
      let sent = 0;
      let number = seed;
      let early = 0;
      const lane = async (): Promise<void> => {
        while (sent < packets) {
          const own = number++;
          const spoken = conversation(own);
          sent += spoken.count;
          const expected = expectedOf(spoken);
          try {
            expectAgreement(expected, await converse(place().port, spoken, expected));
          } catch (error) {
            const replay = `SWARMQ_FUZZ_SEED=${own} SWARMQ_FUZZ_PACKETS=1, version ${spoken.version}: ${spoken.bytes.toString('hex')}`;
            sent = packets;
            for (const node of place().nodes) assert.ok(node.isRunning, `the node ended: ${node.output.slice(-4_000)}\nabout ${replay}`);
            throw new Error(`${(error as Error).message}\n${replay}`, { cause: error });
          }
          // all that grows with the first conversations has grown
          if (early === 0 && sent > packets / 4) early = await resident(place());
        }
      };
      await Promise.all(Array.from({ length: atOnce }, lane));
      assert.ok(place().isRunning);
      const left = canary === null ? 0 : 2;
      await eventually(async () => (await counted(place(), 'swarmq_connections')) === left, { withinMs: 10_000, what: 'end of all connections but the canary' });
      await eventually(async () => (await counted(place(), 'swarmq_sessions')) === left, { withinMs: 10_000, what: 'end of all sessions but the canary\'s' });
      await canary?.stop();
      assert.equal(await counted(place(), 'swarmq_commit_depth'), 0);
      const server = redis();
      if (server !== null) await expectNothingLeft(server);
      if (canary === null || packets < 10_000) return;
      assert.ok((await closedBy(place(), 'malformed-packet')) > 50);
      assert.ok(canary.count > 20, `the canary exchanged ${canary.count} messages`);
      const grown = (await resident(place())) - early;
      assert.ok(grown < 100_000, `grown by ${grown} KB`);
    });
  },
  // what a bent CONNECT asks to be kept is to end soon
  { set: { 'session.maxExpirySeconds': 1, 'session.defaultExpirySeconds': 1, 'mqtt.connectsPerSecond': 1_000_000 } },
);
