/**
 * What the standard says of a packet that a client sends.
 *
 * `must`: the standard has it refused, with one of the codes (of MQTT 5). `may`: it leaves the choice to the server, and a refusal
 * has one of the codes. `never`: it has to be taken.
 */
export interface Judgement {
  readonly refusal: 'must' | 'may' | 'never';
  readonly codes: ReadonlySet<number>;
}

export const malformed = 0x81;
export const protocolError = 0x82;
export const unsupported = 0x84;
export const badClientId = 0x85;
export const badMethod = 0x8c;
export const badFilter = 0x8f;
export const badTopic = 0x90;
export const badAlias = 0x94;
export const badPayload = 0x99;

type Kind = 'byte' | 'u16' | 'u32' | 'varint' | 'text' | 'binary' | 'pair';
type Place = 'connect' | 'will' | 'publish' | 'ack' | 'subscribe' | 'unsubscribe' | 'disconnect' | 'auth';

/** MQTT 5, table 2-4, without what only servers send. */
const properties: ReadonlyMap<number, { readonly kind: Kind; readonly places: readonly Place[] }> = new Map([
  [0x01, { kind: 'byte', places: ['publish', 'will'] }],
  [0x02, { kind: 'u32', places: ['publish', 'will'] }],
  [0x03, { kind: 'text', places: ['publish', 'will'] }],
  [0x08, { kind: 'text', places: ['publish', 'will'] }],
  [0x09, { kind: 'binary', places: ['publish', 'will'] }],
  [0x0b, { kind: 'varint', places: ['publish', 'subscribe'] }],
  [0x11, { kind: 'u32', places: ['connect', 'disconnect'] }],
  [0x15, { kind: 'text', places: ['connect', 'auth'] }],
  [0x16, { kind: 'binary', places: ['connect', 'auth'] }],
  [0x17, { kind: 'byte', places: ['connect'] }],
  [0x18, { kind: 'u32', places: ['will'] }],
  [0x19, { kind: 'byte', places: ['connect'] }],
  [0x1c, { kind: 'text', places: ['disconnect'] }],
  [0x1f, { kind: 'text', places: ['ack', 'disconnect', 'auth'] }],
  [0x21, { kind: 'u16', places: ['connect'] }],
  [0x22, { kind: 'u16', places: ['connect'] }],
  [0x23, { kind: 'u16', places: ['publish'] }],
  [0x26, { kind: 'pair', places: ['connect', 'will', 'publish', 'ack', 'subscribe', 'unsubscribe', 'disconnect', 'auth'] }],
  [0x27, { kind: 'u32', places: ['connect'] }],
]);

/** Reading cannot go on. */
export class CutOff extends Error {}

/**
 * Reads the data representation of MQTT [MQTT 5, 1.5 and 2.2] by the text of the standard: what is wrong is noted, and reading goes on as
 * long as it can.
 */
export class StandardReader {
  readonly version: 3 | 4 | 5;
  readonly #bytes: Buffer;
  #at = 0;
  readonly must = new Set<number>();
  readonly may = new Set<number>();

  constructor(bytes: Buffer, version: 3 | 4 | 5) {
    this.#bytes = bytes;
    this.version = version;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  get judgement(): Judgement {
    const refusal = this.must.size > 0 ? 'must' : this.may.size > 0 ? 'may' : 'never';
    return { refusal, codes: new Set([...this.must, ...this.may]) };
  }

  wrong(...codes: number[]): void {
    for (const code of codes) this.must.add(code);
  }

  /** Wrong since MQTT 3.1.1; 3.1 does not speak of it. */
  wrongSince4(...codes: number[]): void {
    for (const code of codes) (this.version === 3 ? this.may : this.must).add(code);
  }

  doubtful(...codes: number[]): void {
    for (const code of codes) this.may.add(code);
  }

  bytes(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) {
      this.wrong(malformed);
      throw new CutOff();
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  u8(): number {
    return this.bytes(1)[0]!;
  }

  u16(): number {
    return this.bytes(2).readUInt16BE();
  }

  /** 1.5.5: at most four bytes, and no more than needed. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * 128 ** i;
      if (byte >= 0x80) continue;
      if (byte === 0 && i > 0) this.wrong(malformed);
      return value;
    }
    this.wrong(malformed);
    throw new CutOff();
  }

  binary(): Buffer {
    return this.bytes(this.u16());
  }

  /** 1.5.4: UTF-8 without surrogates and U+0000; control and non-characters are left to the receiver. */
  text(): string {
    const bytes = this.binary();
    const text = bytes.toString();
    // what is no UTF-8 does not come back as it was
    if (!Buffer.from(text).equals(bytes) || text.includes('\0')) this.wrongSince4(malformed);
    if (/[\u0001-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/.test(text)) this.doubtful(malformed);
    return text;
  }

  topicName(...codes: number[]): void {
    const topic = this.text();
    if (topic === '' || /[+#]/.test(topic)) this.wrong(malformed, protocolError, badTopic, ...codes);
  }

  topicFilter(): string {
    const filter = this.text();
    const levels = filter.split('/');
    const isBad = filter === '' || levels.some((level, i) => (level.includes('#') && (level !== '#' || i < levels.length - 1)) || (level.includes('+') && level !== '+'));
    if (isBad) this.wrongSince4(malformed, protocolError, badFilter);
    if (this.version !== 5 || levels[0] !== '$share' || levels.length === 1) return filter;
    const [, name = '', ...rest] = levels;
    if (name === '' || /[+#]/.test(name) || rest.join('/') === '') this.wrong(malformed, protocolError, badFilter);
    return filter;
  }

  packetId(): void {
    if (this.u16() === 0) this.wrong(malformed, protocolError);
  }

  /** The values by identifier; of what may stand more than once the last one. */
  properties(place: Place): ReadonlyMap<number, number | Buffer | string> {
    const found = new Map<number, number | Buffer | string>();
    const end = this.varint();
    const block = new StandardReader(this.bytes(end), this.version);
    try {
      while (!block.isAtEnd) block.#property(place, found);
      if (place !== 'will' && found.has(0x16) && !found.has(0x15)) block.wrong(protocolError);
    } finally {
      this.wrong(...block.must);
      this.doubtful(...block.may);
    }
    return found;
  }

  #property(place: Place, found: Map<number, number | Buffer | string>): void {
    const id = this.varint();
    const known = properties.get(id);
    if (known?.places.includes(place) !== true) {
      // 2.2.2.2: not valid for this packet; what it holds cannot be skipped
      this.wrong(malformed);
      throw new CutOff();
    }
    if (found.has(id) && id !== 0x26) this.wrong(protocolError);
    if (id === 0x0b && place === 'publish') this.wrong(protocolError);
    const value = this.#value(known.kind);
    found.set(id, value);
    if ([0x01, 0x17, 0x19].includes(id) && Number(value) > 1) this.wrong(protocolError, malformed);
    if ([0x21, 0x27, 0x0b].includes(id) && value === 0) this.wrong(protocolError);
    if (id === 0x23 && value === 0) this.wrong(badAlias, protocolError);
    if (id === 0x08 && (value === '' || /[+#]/.test(String(value)))) this.wrong(malformed, protocolError, badTopic);
    // 3.14.2.2.5: a server's to say
    if (id === 0x1c) this.doubtful(protocolError, malformed);
  }

  #value(kind: Kind): number | Buffer | string {
    switch (kind) {
      case 'byte':
        return this.u8();
      case 'u16':
        return this.u16();
      case 'u32':
        return this.bytes(4).readUInt32BE();
      case 'varint':
        return this.varint();
      case 'text':
        return this.text();
      case 'binary':
        return this.binary();
      case 'pair':
        return this.text() + this.text();
    }
  }

  rest(): Buffer {
    return this.bytes(this.#bytes.length - this.#at);
  }

  end(): void {
    if (!this.isAtEnd) this.wrongSince4(malformed);
  }
}
