import assert from 'node:assert/strict';
import { BrokerError } from '../../src/base/errors.ts';
import { readAuth } from '../../src/codec/auth.ts';
import { connectVersion, readConnect } from '../../src/codec/connect.ts';
import { readDisconnect } from '../../src/codec/disconnect.ts';
import { FrameReader } from '../../src/codec/frames.ts';
import { PacketType } from '../../src/codec/packets.ts';
import { readPingreq } from '../../src/codec/ping.ts';
import {
  newIncomingPublish,
  publishHeadBytes,
  readAck,
  readPublish,
  utf8Bytes,
  writePublishHead,
} from '../../src/codec/publish.ts';
import { readSubscribe, readUnsubscribe } from '../../src/codec/subscribe.ts';
import { noBytes } from '../../src/base/message.ts';
import { reasons } from '../../src/base/reasons.ts';
import { bytes, packet, randomFrom, versions } from '../support/codec.ts';
import { bend, bendBody, makeConnect, makePacket } from '../support/packet-maker.ts';
import { framesIn, judge, judgeConnect, type Judgement } from '../support/standard.ts';

type Version = 3 | 4 | 5;

const maxPacketBytes = 10_000;
const serverTypes: readonly number[] = [PacketType.connack, PacketType.suback, PacketType.unsuback, PacketType.pingresp];

const packets = Number(process.env['SWARMQ_FUZZ_PACKETS'] ?? 20_000);

/** Good packets of every kind a client sends, dense with fields: what the mutations start from. */
const corpus: readonly Buffer[] = [
  packet(0x10, bytes("00 06 'MQIsdp' 03 c2 00 3c 00 02 'c1' 00 01 'u' 00 01 'p'")),
  packet(0x10, bytes("00 04 'MQTT' 04 ee 00 3c 00 02 'c1' 00 04 't/é' 00 03 'bye' 00 01 'u' 00 01 'p'")),
  packet(
    0x10,
    bytes(
      "00 04 'MQTT' 05 ce 00 3c 1c 11 00 00 00 09 21 00 0a 27 00 01 00 00 22 00 05 19 01 17 00 15 00 01 'm' 16 00 01 ff " +
        "00 02 'c1' 15 18 00 00 00 0a 01 01 03 00 01 'x' 26 00 04 'kéy' 00 01 'v' 00 01 't' 00 03 'bye' 00 01 'u' 00 01 'p'",
    ),
  ),
  packet(0x30, bytes("00 0a 'car/é/gps' 'payload'")),
  packet(0x3b, bytes("00 03 'a/b' 00 07 00 'payload'")),
  packet(
    0x34,
    bytes("00 03 'a/b' 00 07 1a 01 01 23 00 07 08 00 01 'r' 02 00 00 00 3c 09 00 02 00 ff 26 00 01 'k' 00 01 'v' 'p'"),
  ),
  packet(0x40, bytes('00 07')),
  packet(0x50, bytes("00 07 97 05 1f 00 02 'no'")),
  packet(0x62, bytes("00 07 92 07 26 00 01 'k' 00 01 'v'")),
  packet(0x70, bytes('00 07 00 00')),
  packet(0x82, bytes("00 07 00 03 'a/+' 01 00 01 '#' 02")),
  packet(0x82, bytes("00 07 0a 0b ff 7f 26 00 01 'k' 00 01 'v' 00 03 'a/+' 2d 00 0a '$share/g/#' 11")),
  packet(0xa2, bytes("00 07 00 03 'a/+' 00 01 '#'")),
  packet(0xa2, bytes("00 07 07 26 00 01 'k' 00 01 'v' 00 03 'a/+'")),
  packet(0xc0, noBytes),
  packet(0xe0, bytes("04 0b 11 00 00 00 09 1f 00 03 'bye'")),
  packet(0xf0, bytes("18 0a 15 00 01 'm' 16 00 03 00 01 ff")),
];

/** Half of them made anew, half from the corpus; bent as a whole, so that frames break too, or inside a good frame, or not at all. */
function nextPacket(random: (below: number) => number, version: Version): Buffer {
  const made = random(8) === 0 ? makeConnect(random, version, 'client') : makePacket(random, version);
  const whole = random(2) === 0 ? made : corpus[random(corpus.length)]!;
  const other = corpus[random(corpus.length)]!;
  const kind = random(3);
  return kind === 0 ? whole : kind === 1 ? bend(whole, other, random) : bendBody(whole, other, random);
}

const publish = newIncomingPublish();
const again = newIncomingPublish();
const ack = { packetId: 0, reason: 0 };

function readAny({ buffer, first, start, end }: FrameReader, version: Version): void {
  switch (first >> 4) {
    case PacketType.connect:
      connectVersion(buffer, start, end);
      readConnect(buffer, first, start, end);
      break;
    case PacketType.publish:
      readPublish(buffer, first, start, end, version, publish);
      expectSameAgain(version);
      break;
    case PacketType.puback:
    case PacketType.pubrec:
    case PacketType.pubrel:
    case PacketType.pubcomp:
      readAck(buffer, first, start, end, version, ack);
      break;
    case PacketType.subscribe:
      readSubscribe(buffer, first, start, end, version);
      break;
    case PacketType.unsubscribe:
      readUnsubscribe(buffer, first, start, end, version);
      break;
    case PacketType.pingreq:
      readPingreq(first, start, end, version);
      break;
    case PacketType.disconnect:
      readDisconnect(buffer, first, start, end, version);
      break;
    case PacketType.auth:
      readAuth(buffer, first, start, end, version);
      break;
  }
}

/** A PUBLISH that was let in can be written, and is the same when it is read again. */
function expectSameAgain(version: Version): void {
  const { topic, qos, retain, dup, packetId, topicAlias, expirySeconds, properties, payload } = publish;
  const size = utf8Bytes(topic);
  const head = publishHeadBytes(
    size,
    payload.length,
    properties.length,
    qos,
    version,
    expirySeconds,
    noBytes,
    topicAlias,
  );
  const whole = Buffer.alloc(head + payload.length);
  writePublishHead(
    whole,
    0,
    topic,
    size,
    payload.length,
    properties,
    qos,
    retain,
    dup,
    packetId,
    version,
    expirySeconds,
    noBytes,
    topicAlias,
  );
  payload.copy(whole, head);
  const frames = new FrameReader(1_000_000);
  frames.push(whole);
  assert.ok(frames.next());
  readPublish(frames.buffer, frames.first, frames.start, frames.end, version, again);
  assert.deepEqual(again, publish);
}

describe('codec: bent packets', () => {
  it('the packets they are bent from are good', () => {
    for (const whole of corpus) {
      const good = versions.filter((version) => {
        const frames = new FrameReader(1_000_000);
        frames.push(whole);
        assert.ok(frames.next());
        try {
          readAny(frames, version);
          return true;
        } catch {
          return false;
        }
      });
      assert.notEqual(good.length, 0, whole.toString('hex'));
    }
  });

  it(`${packets} of them are refused when the standard says so, for a reason it gives, and no others are`, function () {
    this.timeout(10_000 + packets);
    const seed = Number(process.env['SWARMQ_FUZZ_SEED'] ?? Date.now() % 0x100000000);
    let accepted = 0;
    const refused = new Map<string, number>();
    for (let round = 0; round < packets; round++) {
      const random = randomFrom(seed + round);
      const version = versions[random(3)]!;
      const whole = nextPacket(random, version);
      const replay = `SWARMQ_FUZZ_SEED=${seed + round} SWARMQ_FUZZ_PACKETS=1, version ${version}: ${whole.toString('hex')}`;
      try {
        const verdict = read(whole, random(whole.length + 1), version);
        if (verdict === null) accepted++;
        else refused.set(verdict, (refused.get(verdict) ?? 0) + 1);
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${replay}`, { cause: error });
      }
    }
    if (packets < 20_000) return;
    // a fuzz that no longer reaches the readers would pass for ever
    assert.ok(accepted > packets / 10, `${accepted} accepted`);
    for (const code of ['malformed-packet', 'protocol-error', 'invalid-utf8', 'packet-too-large', 'unsupported-protocol']) {
      assert.ok((refused.get(code) ?? 0) > 0, `none was refused as ${code}`);
    }
  });
});

/** Reads what is in the bytes, which come in two chunks, beside the standard; gives the code of a refusal. */
function read(whole: Buffer, cut: number, version: Version): string | null {
  const frames = new FrameReader(maxPacketBytes);
  frames.shortestLength = version === 5;
  const expected = framesIn(whole, version, maxPacketBytes);
  for (const chunk of [whole.subarray(0, cut), whole.subarray(cut)]) {
    frames.push(chunk);
    for (;;) {
      const refusal = refusalOf(() => frames.next() || null);
      if (refusal === null) break;
      const next = expected.next();
      const frame = next.done === true ? null : next.value;
      if (refusal instanceof BrokerError) {
        assert.ok(frame === null || 'fault' in frame, `a good frame was refused: ${refusal.message}`);
        if (frame !== null) expectAgreement(frame.fault, refusal);
        return refusal.code;
      }
      assert.ok(frame !== null && 'first' in frame, 'the frame is good here, and not by the standard');
      // what only servers send is refused unread
      if (serverTypes.includes(frame.first >> 4)) continue;
      const outcome = refusalOf(() => {
        readAny(frames, version);
        return true;
      });
      expectAgreement(judgementOf(frame.first, frame.body, version), outcome instanceof BrokerError ? outcome : null);
      if (outcome instanceof BrokerError) return outcome.code;
    }
  }
  const left = expected.next();
  assert.ok(left.done === true || ('fault' in left.value && left.value.fault.refusal !== 'must'), 'a frame was not noticed');
  return null;
}

function judgementOf(first: number, body: Buffer, version: Version): Judgement {
  if (first >> 4 === PacketType.connect) return judgeConnect(first, body);
  // an alias is known or not to a connection, which the codec does not see
  const aliases = { has: () => true, add: () => undefined } as unknown as Set<number>;
  return judge(first, body, { version, isConnected: true, endsWithConnection: false, aliasMaximum: 65_535, aliases });
}

/** What `act` gives, or the refusal that it throws. Nothing else may be thrown. */
function refusalOf<T>(act: () => T): T | BrokerError {
  try {
    return act();
  } catch (error) {
    if (error instanceof BrokerError && error.kind === 'refused') return error;
    throw error;
  }
}

function expectAgreement({ refusal, codes }: Judgement, outcome: BrokerError | null): void {
  if (outcome === null) {
    assert.notEqual(refusal, 'must', `accepted, and to be refused with ${[...codes].map((code) => code.toString(16)).join()}`);
    return;
  }
  assert.notEqual(refusal, 'never', `refused, and to be taken: ${outcome.message}`);
  const { v5 } = reasons[outcome.code];
  assert.ok(codes.has(v5), `refused with ${v5.toString(16)} (${outcome.message}), and to be refused with ${[...codes].map((code) => code.toString(16)).join()}`);
}
