import type { ServerProcess } from './process.ts';
import type { RedisServer } from './redis.ts';

/** The servers of one peer, up and empty. */
export interface Servers {
  /** Where clients connect, one port for each node. */
  ports: number[];
  brokers: { pid: number }[];
  /** Those of them that are processes of their own, and not started by another one of them. */
  processes: ServerProcess[];
  /** The Redis they share, if any. */
  redis: RedisServer | null;
  stop(): Promise<void>;
}

export interface PeerOptions {
  nodes: number;
  /** Whether Redis keeps an append-only file; the same for all peers. */
  appendOnly: boolean;
  /** Arguments for Node itself, where brokers run on it. */
  nodeArgs: readonly string[];
}

/** A broker that takes part in the comparison. */
export interface Peer {
  name: PeerName;
  /** What it is, in a few words for the report. */
  title: string;
  /** Name and version of its parts; null when it is not on this machine. */
  version(): string | null;
  /** What to do when it is not on this machine. */
  howToInstall: string;
  start(options: PeerOptions): Promise<Servers>;
}

export type PeerName = 'mosquitto' | 'hivemq' | 'mochi' | 'aedes' | 'stock' | 'floor' | 'swarmq' | 'swarmq-redis' | 'swarmq-workers';
