import { aedes, stock } from './aedes.ts';
import { floor } from './floor.ts';
import { hivemq } from './hivemq.ts';
import { mochi } from './mochi.ts';
import { mosquitto } from './mosquitto.ts';
import type { Peer, PeerName } from './peer.ts';
import { swarmq, swarmqOnRedis } from './swarmq.ts';
import { swarmqWorkers } from './workers.ts';

export const peers: Readonly<Record<PeerName, Peer>> = {
  mosquitto,
  hivemq,
  mochi,
  aedes,
  stock,
  floor,
  swarmq,
  'swarmq-redis': swarmqOnRedis,
  'swarmq-workers': swarmqWorkers,
};

export function isOurs(name: PeerName): boolean {
  return name.startsWith('swarmq');
}
