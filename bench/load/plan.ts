import type { Faults } from './ledger.ts';
import type { QoS } from './packets.ts';

/**
 * Who sends to whom.
 *   pairs          publisher i to subscriber i
 *   fan-out        every publisher to every subscriber
 *   fan-in         every publisher to one of the subscribers
 *   fan-in-shared  every publisher to one shared subscription, whose members are the subscribers
 */
export type Pattern = 'pairs' | 'fan-out' | 'fan-in' | 'fan-in-shared';

/** The shape of what is sent, whatever the tempo. */
export interface Messages {
  pattern: Pattern;
  publishers: number;
  subscribers: number;
  qos: QoS;
  /** Subscribers with a persistent session (clean session off). */
  isPersistent: boolean;
  payloadBytes: number;
}

/**
 * Messages that flow for a while, in a closed loop or paced.
 *
 * Closed loop: each publisher keeps `window` messages on the way. A message is on the way until it was received by all
 * who want it and, with QoS > 0, acknowledged; so a broker is never offered more than it can carry, and QoS 0 has no
 * reason to drop. Paced: `perSecond` messages over all publishers, whatever comes back.
 */
export interface TrafficPlan extends Messages {
  kind: 'traffic';
  tempo: { window: number } | { perSecond: number };
  warmUpMs: number;
  measureMs: number;
}

/** Messages stored for persistent sessions while they are away, then drained on their return. */
export interface BacklogPlan extends Messages {
  kind: 'backlog';
  messages: number;
  window: number;
}

/** Clients that connect and subscribe; with `stay` all at once and idle, else each leaves at once and the next one comes. */
export interface ConnectionsPlan {
  kind: 'connections';
  connections: number;
  concurrency: number;
  warmUpConnections: number;
  stay: boolean;
}

/** Retained topics, and subscriptions that are answered from them, one after the other. */
export interface RetainedPlan {
  kind: 'retained';
  topics: number;
  /** `wildcard`: matches 10 of the topics; `rare`: matches one, behind a `+` that stands for a tenth of them. */
  filter: 'exact' | 'wildcard' | 'rare';
  subscriptions: number;
  payloadBytes: number;
}

/** Retained topics, and one subscription to all of them. */
export interface RetainedStreamPlan {
  kind: 'retained-stream';
  topics: number;
  payloadBytes: number;
}

export type LoadPlan = TrafficPlan | BacklogPlan | ConnectionsPlan | RetainedPlan | RetainedStreamPlan;

/** Where the load goes: publishers to the first port, subscribers to the last one. */
export interface Target {
  host: string;
  ports: number[];
}

/** What a load saw between "go" and its last message. */
export interface LoadResult {
  /** Messages received, connections or subscriptions made. */
  units: number;
  seconds: number;
  p50Micros: number | null;
  p99Micros: number | null;
  p999Micros: number | null;
  /** How late the load generator itself was when it had to send at a given time; null in a closed loop. */
  pacerP99Micros: number | null;
  /** CPU time of the load generator. */
  loadCpuSeconds: number;
  faults: Faults;
}

/** One way of loading a broker. It is quiet after `prepare`, and again after `measure`: nothing is on its way. */
export interface Load {
  prepare(): Promise<void>;
  measure(): Promise<LoadResult>;
}

/** Messages to the load process ... */
export type ToLoad = { do: 'prepare'; plan: LoadPlan; target: Target } | { do: 'measure' };
/** ... and from it. */
export type FromLoad = { did: 'start' } | { did: 'prepare' } | { did: 'measure'; result: LoadResult } | { failed: string };
