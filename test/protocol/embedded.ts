import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { Aedes, type AedesOptions } from 'aedes';
import type { IClientOptions } from 'mqtt';
import { Broker } from '../../src/index.ts';
import { connectClient, type Client } from '../support/client.ts';
import { atEnd } from '../support/ends.ts';
import { within } from '../support/eventually.ts';
import { openPackets, PacketClient, type ProtocolVersion } from '../support/packets.ts';

/** A broker inside this process, and ways to reach it. */
export class Embedded<Kind extends Aedes = Aedes> {
  readonly broker: Kind;
  readonly port: number;

  constructor(broker: Kind, port: number) {
    this.broker = broker;
    this.port = port;
  }

  connect(options: IClientOptions = {}): Promise<Client> {
    return connectClient(this.port, options);
  }

  packets(version: ProtocolVersion = 4): Promise<PacketClient> {
    return openPackets(this.port, version);
  }

  /** A conversation over a stream that is no socket. */
  overStream(version: ProtocolVersion = 4): { client: ReturnType<Aedes['handle']>; packets: PacketClient } {
    const [near, far] = duplexPair();
    return { client: this.broker.handle(far), packets: new PacketClient(near, version) };
  }

  /** What the next event of this name brings. */
  heard(event: string, withinMs = 5_000): Promise<unknown[]> {
    return within(once(this.broker, event), withinMs, `the event ${event}`);
  }

  publish(topic: string, payload: string, more: { qos?: 0 | 1 | 2; retain?: boolean } = {}): Promise<void> {
    const packet = { cmd: 'publish' as const, topic, payload, qos: more.qos ?? 0, retain: more.retain ?? false, dup: false };
    return new Promise((resolve, reject) => {
      this.broker.publish(packet, (error?: Error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.broker.close(resolve);
    });
  }
}

/** Puts a broker behind a TCP port; both end with the test. */
export async function serve<Kind extends Aedes>(broker: Kind): Promise<Embedded<Kind>> {
  const server = createServer(broker.handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const embedded = new Embedded(broker, (server.address() as AddressInfo).port);
  atEnd('an embedded broker', async () => {
    await embedded.close();
    server.close();
  });
  return embedded;
}

type Open = (options?: AedesOptions) => Promise<Embedded>;

/** Describes what Aedes documents: `body` runs for Aedes itself and for the broker that takes its place. */
export function asInAedes(title: string, body: (open: Open) => void): void {
  describe(`${title}, in Aedes`, () => {
    body(async (options) => serve(await Aedes.createBroker(options)));
  });
  describe(`${title}, in Broker`, () => {
    body(async (options) => serve(await Broker.createBroker(options)));
  });
}
