import type { Servers } from './peer.ts';
import type { ServerProcess } from './process.ts';

/** A peer that is one process and needs nothing beside it. */
export function single(broker: ServerProcess, port: number): Servers {
  return { ports: [port], brokers: [broker], processes: [broker], redis: null, stop: () => broker.stop() };
}
