import { packet } from './codec.ts';

type Random = (below: number) => number;
type Version = 3 | 4 | 5;

const texts = ['', 'a', 'fuzz/a', 'fuzz/b/c', '/', 'fuzz//x', 'ä/€/😀', '\u{feff}x', 'a\u0001b', 'x'.repeat(130)];
const filters = ['fuzz/#', 'fuzz/+/x', '+', '#', '/+/#', '$share/g/fuzz/#', '$share/g/a', '$SYS/#', 'none', 'a+', '$share/g', '$share//a', 'a/#/b'];
const wishes = [0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x11, 0x12, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1c, 0x1f, 0x21, 0x22, 0x23, 0x24, 0x26, 0x27, 0x2a];
const telling = [0x00, 0x01, 0x7f, 0x80, 0xc0, 0xed, 0xff, 0x23, 0x2b, 0x26, 0x0b, 0x1f];

/** The properties that each packet may have, so that most of what is made is right. */
const fitting: Readonly<Record<string, readonly number[]>> = {
  connect: [0x11, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27],
  will: [0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26],
  publish: [0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26],
  ack: [0x1f, 0x26],
  subscribe: [0x0b, 0x26],
  unsubscribe: [0x26],
  disconnect: [0x11, 0x1f, 0x26],
  auth: [0x15, 0x16, 0x1f, 0x26],
};

const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
const binary = (bytes: Buffer): Buffer => Buffer.concat([u16(bytes.length), bytes]);
const text = (value: string): Buffer => binary(Buffer.from(value));
const pick = <T>(random: Random, all: readonly T[]): T => all[random(all.length)]!;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value > 0);
  return Buffer.from(bytes);
}

function property(random: Random, id: number): Buffer {
  const value = (): Buffer => {
    switch (id) {
      case 0x01:
      case 0x17:
      case 0x19:
      case 0x24:
      case 0x2a:
        return Buffer.of(random(30) === 0 ? 2 : random(2));
      case 0x02:
      case 0x11:
      case 0x18:
      case 0x27: {
        const four = Buffer.alloc(4);
        // a maximum packet size below what the answers need would hide them
        four.writeUInt32BE(id === 0x27 ? 1_000 * random(10) : random(4) === 0 ? 0xffffffff : random(5));
        return four;
      }
      case 0x0b:
        return varint(random(20) === 0 ? 0 : pick(random, [1, 127, 128, 268_435_455]));
      case 0x21:
      case 0x22:
      case 0x23:
        return u16(random(40));
      case 0x26:
        return Buffer.concat([text(pick(random, texts)), text(pick(random, texts))]);
      default:
        return id === 0x09 || id === 0x16 ? binary(Buffer.alloc(random(4), 0xff)) : text(pick(random, texts));
    }
  };
  return Buffer.concat([Buffer.of(id), value()]);
}

/** Properties that mostly belong there; none before MQTT 5. */
function properties(random: Random, version: Version, place: string, always = Buffer.alloc(0)): Buffer {
  if (version !== 5) return Buffer.alloc(0);
  const wanted: number[] = [];
  for (let count = random(4); count > 0; count--) wanted.push(random(40) === 0 ? pick(random, wishes) : pick(random, fitting[place]!));
  // user properties alone may come again
  const ids = random(40) === 0 ? wanted : wanted.filter((id, i) => id === 0x26 || wanted.indexOf(id) === i);
  const block = Buffer.concat([always, ...ids.map((id) => property(random, id))]);
  return Buffer.concat([varint(block.length), block]);
}

function publish(random: Random, version: Version): Buffer {
  const qos = random(40) === 0 ? 3 : random(3);
  const dup = qos > 0 || random(40) === 0 ? random(2) : 0;
  const topic = random(30) === 0 ? pick(random, filters) : pick(random, texts.slice(random(20) === 0 ? 0 : 1));
  const id = qos > 0 ? u16(random(60)) : Buffer.alloc(0);
  const payload = Buffer.alloc(random(20) === 0 ? random(5_000) : random(30), pick(random, ['x', 'ä', '\xff']), 'latin1');
  return packet(0x30 | (dup << 3) | (qos << 1) | random(2), Buffer.concat([text(topic), id, properties(random, version, 'publish'), payload]));
}

function acknowledgement(random: Random, version: Version): Buffer {
  const type = 4 + random(4);
  const first = (type << 4) | (type === 6 ? 2 : 0);
  const id = u16(random(30));
  if (version !== 5 || random(2) === 0) return packet(first, id);
  const code = Buffer.of(random(20) === 0 ? random(256) : pick(random, type <= 5 ? [0, 0x10, 0x80, 0x83, 0x97] : [0, 0x92]));
  return packet(first, Buffer.concat([id, code, ...(random(2) === 0 ? [properties(random, version, 'ack')] : [])]));
}

function subscribe(random: Random, version: Version): Buffer {
  const requests: Buffer[] = [];
  for (let count = random(30) === 0 ? 0 : 1 + random(3); count > 0; count--) {
    const good = pick(random, filters.slice(0, random(20) === 0 ? filters.length : 9));
    const more = version === 5 ? (random(3) << 4) | (good.startsWith('$share') ? 0 : random(4) << 2) : 0;
    requests.push(text(good), Buffer.of(random(40) === 0 ? random(256) : random(3) | more));
  }
  return packet(0x82, Buffer.concat([u16(1 + random(50)), properties(random, version, 'subscribe'), ...requests]));
}

function unsubscribe(random: Random, version: Version): Buffer {
  const wanted = Array.from({ length: random(30) === 0 ? 0 : 1 + random(3) }, () => text(pick(random, filters.slice(0, random(20) === 0 ? filters.length : 9))));
  return packet(0xa2, Buffer.concat([u16(1 + random(50)), properties(random, version, 'unsubscribe'), ...wanted]));
}

function farewell(random: Random, version: Version): Buffer {
  if (version !== 5 || random(3) === 0) return packet(0xe0, Buffer.alloc(0));
  const code = Buffer.of(random(5) === 0 ? random(256) : pick(random, [0, 4, 0x81, 0x98]));
  return packet(0xe0, random(2) === 0 ? code : Buffer.concat([code, properties(random, version, 'disconnect')]));
}

function auth(random: Random, version: Version): Buffer {
  const method = random(10) === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0x15), text('SCRAM')]);
  return packet(0xf0, random(8) === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(pick(random, [0, 0x18, 0x19, 0x20])), properties(random, version, 'auth', method)]));
}

/** A CONNECT of a clean session, right in most cases. */
export function makeConnect(random: Random, version: Version, clientId: string): Buffer {
  const hasWill = random(2) === 0;
  const login = pick(random, version === 5 ? [0, 0x80, 0xc0, 0x40] : [0, 0x80, 0xc0]);
  const flags = 0x02 | login | (hasWill ? 0x04 | (random(3) << 3) | (random(2) << 5) : 0);
  const will = hasWill ? [properties(random, version, 'will'), text(pick(random, ['fuzz/will', 'a', '/'])), binary(Buffer.from('gone'))] : [];
  return packet(
    0x10,
    Buffer.concat([
      text(version === 3 ? 'MQIsdp' : 'MQTT'),
      Buffer.of(version, flags),
      u16(random(2) * 600),
      properties(random, version, 'connect'),
      text(clientId),
      ...will,
      ...((login & 0x80) !== 0 ? [text('u')] : []),
      ...((login & 0x40) !== 0 ? [text('p')] : []),
    ]),
  );
}

/** A packet of any type, right in most cases. DISCONNECT and second CONNECTs, which end a conversation, are rare. */
export function makePacket(random: Random, version: Version): Buffer {
  const kind = random(100);
  if (kind < 40) return publish(random, version);
  if (kind < 60) return acknowledgement(random, version);
  if (kind < 75) return subscribe(random, version);
  if (kind < 87) return unsubscribe(random, version);
  if (kind < 95) return packet(0xc0, Buffer.alloc(0));
  if (kind < 97) return farewell(random, version);
  if (kind < 98) return auth(random, version);
  if (kind < 99) return makeConnect(random, version, 'second');
  // what only servers send, and types that there are not
  return packet(pick(random, [0x00, 0x20, 0x90, 0xb0, 0xd0]) | random(3), Buffer.alloc(random(4)));
}

/** One to four of: a bit turned, a byte replaced by a telling one, bytes cut, doubled, or brought in from another packet. */
export function bend(whole: Buffer, other: Buffer, random: Random): Buffer {
  let bent = Buffer.from(whole);
  for (let count = 1 + random(4); count > 0; count--) {
    const at = random(bent.length + 1);
    const to = Math.min(bent.length, at + 1 + random(6));
    const kind = random(5);
    if (kind === 0 && at < bent.length) bent[at] = bent[at]! ^ (1 << random(8));
    else if (kind === 1 && at < bent.length) bent[at] = pick(random, telling);
    else if (kind === 2) bent = Buffer.concat([bent.subarray(0, at), bent.subarray(to)]);
    else if (kind === 3) bent = Buffer.concat([bent.subarray(0, to), bent.subarray(at)]);
    else {
      const from = random(other.length);
      bent = Buffer.concat([bent.subarray(0, at), other.subarray(from, from + 1 + random(12)), bent.subarray(at)]);
    }
  }
  return bent;
}

/** The same packet with a bent body in a good frame. */
export function bendBody(whole: Buffer, other: Buffer, random: Random): Buffer {
  let start = 1;
  while (whole[start]! >= 0x80) start++;
  return packet(whole[0]!, bend(whole.subarray(start + 1), other, random));
}
