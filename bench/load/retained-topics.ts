import { Client } from './client.ts';
import { encodeRetained } from './packets.ts';

const publishers = 10;
const window = 200;
/** Topics are `bench/site/<site>/device/<n>/state`; one device of each site has a topic `…/alarm` as well. */
export const sites = 10;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export function stateOf(index: number): string {
  return `bench/site/${index % sites}/device/${Math.floor(index / sites)}/state`;
}

/** Retains a message under each of so many topics of state, and under those of alarm. */
export async function retainAll(address: Address, topics: number, payloadBytes: number): Promise<void> {
  const alarms = Array.from({ length: sites }, (_, site) => `bench/site/${site}/device/${site * 7}/alarm`);
  await Promise.all([
    retainEach(address, 'alarms', alarms.length, (index) => alarms[index]!, payloadBytes),
    ...Array.from({ length: publishers }, (_, publisher) =>
      retainEach(address, `${publisher}`, topics / publishers, (index) => stateOf(index * publishers + publisher), payloadBytes),
    ),
  ]);
}

/** One publisher's share, a window of them on the way at a time. */
async function retainEach(address: Address, name: string, count: number, topicOf: (index: number) => string, payloadBytes: number): Promise<void> {
  let sent = 0;
  let acknowledged = 0;
  await new Promise<void>((resolve, reject) => {
    const send = (client: Client): void => {
      const packets: Buffer[] = [];
      for (; sent < count && sent - acknowledged < window; sent++) packets.push(encodeRetained(topicOf(sent), sent + 1, payloadBytes));
      if (packets.length > 0) client.send(Buffer.concat(packets));
    };
    let client: Client | undefined;
    const role = {
      message: (): void => reject(new Error('a publisher received a message')),
      acknowledged: (): void => {
        acknowledged += 1;
        if (acknowledged === count) resolve(client!.close());
        else if (sent - acknowledged <= window / 2) send(client!);
      },
      dropped: (reason: string): void => reject(new Error(`publisher ${name} lost its connection: ${reason}`)),
    };
    Client.open({ ...address, clientId: `bench-pub-${name}`, isClean: true }, role).then((opened) => {
      client = opened;
      send(client);
    }, reject);
  });
}
