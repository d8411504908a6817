import { Duplex } from 'node:stream';
import { generate, type IConnectPacket, type Packet } from 'mqtt-packet';
import { alone } from '../../cluster/alone.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { resolveConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import type { Connection } from '../../src/engine/connection.ts';
import { Engine } from '../../src/engine/engine.ts';
import { noHooks } from '../../src/engine/hooks.ts';
import { limitsOf } from '../../src/engine/open-state.ts';
import { openMemoryStore } from '../../src/store/memory/store.ts';
import { atEnd } from './ends.ts';
import type { ProtocolVersion } from './packets.ts';

/** A configuration of defaults but for these, by their paths. */
export function configOf(set: Readonly<Record<string, string | number | boolean>> = {}): Config {
  const flags = Object.entries(set).map(([path, value]) => ({ path, value: String(value), name: path }));
  return resolveConfig({ flags }).config;
}

/** An engine in this process, alone, on the store in memory; stopped at the end. */
export async function engineAlone(set: Readonly<Record<string, string | number | boolean>> = {}): Promise<Engine> {
  const config = configOf(set);
  const clock = new SystemClock();
  const store = openMemoryStore(clock, limitsOf(config));
  const engine = new Engine({ config, store, cluster: alone('n1'), clock, log: silentLog, metrics: new Metrics(), hooks: noHooks });
  await engine.start();
  atEnd('an engine', () => engine.stop());
  return engine;
}

/** The client's side of a connection: what the engine writes is counted and kept, and can be held up. */
export class FakeStream extends Duplex {
  /** calls that reached the stream, a corked group counted as one */
  writes = 0;
  isStuck = false;
  #written: Buffer[] = [];
  #held: (() => void)[] = [];

  override _read(): void {
    // pushed from outside
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#take([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#take(chunks.map(({ chunk }) => chunk), done);
  }

  get written(): Buffer {
    return Buffer.concat(this.#written);
  }

  forget(): void {
    this.#written = [];
    this.writes = 0;
  }

  #take(chunks: Buffer[], done: () => void): void {
    this.writes++;
    this.#written.push(...chunks);
    if (this.isStuck) this.#held.push(done);
    else done();
  }

  /** Takes what was held up, and goes on. */
  unstick(): void {
    this.isStuck = false;
    for (const done of this.#held.splice(0)) done();
  }
}

export interface Attached {
  readonly stream: FakeStream;
  readonly connection: Connection;
}

/** A client that is connected, and subscribed at QoS 1 when it names filters; `more` of its CONNECT. */
export async function attachClient(
  engine: Engine,
  clientId: string,
  version: ProtocolVersion,
  filters: readonly string[] = [],
  more: Partial<IConnectPacket> = {},
): Promise<Attached> {
  const stream = new FakeStream();
  const connection = engine.accept(stream, false);
  connection.received(encoded(version, { cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clientId, clean: true, keepalive: 0, ...more }));
  while (connection.state !== 'live') await new Promise(setImmediate);
  if (filters.length > 0) {
    connection.received(encoded(version, { cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) }));
    while (connection.isBusy) await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  stream.forget();
  return { stream, connection };
}

export function encoded(version: ProtocolVersion, ...packets: Packet[]): Buffer {
  return Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: version })));
}
