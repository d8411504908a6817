import type { FigureName } from '../figures.ts';
import type { LoadPlan } from '../load/plan.ts';
import type { Round, RoundOptions } from '../round.ts';
import type { Peer, PeerName } from '../servers/peer.ts';

export type Mode = 'quick' | 'full';

/** A figure to reach: of one of ours; by itself, or as a ratio to a peer in the same run or to itself in an earlier case. */
export interface Goal {
  of: PeerName;
  figure: FigureName;
  to: PeerName | { case: string } | null;
  bound: { atMost: number } | { atLeast: number };
}

interface Case {
  name: string;
  title: string;
  /** What one unit of the figures is. */
  unit: 'message' | 'connection' | 'subscription' | 'route';
  /** Nodes of each peer that can be a cluster. */
  nodes: number;
  peers: PeerName[];
  /** The figure the chart shows, and the table's ratios are in. */
  figure: FigureName;
  goals: Goal[];
}

/** A case that loads a broker from outside. */
export interface LoadScenario extends Case {
  /** Servers that run on Node collect their garbage before each reading. */
  isAboutMemory?: true;
  /** How many things the load stores before it is measured, where their memory is a figure of the case. */
  stored?(mode: Mode): number;
  plan(mode: Mode): LoadPlan;
}

/** A case that is measured in a way of its own. */
export interface OwnScenario extends Case {
  run(peer: Peer, options: RoundOptions): Promise<Round>;
}

/** One case of the benchmark. */
export type Scenario = LoadScenario | OwnScenario;

/** How long messages flow; a quick run says which way the wind blows, a full one is for the record. */
export function duration(mode: Mode): { warmUpMs: number; measureMs: number } {
  return mode === 'quick' ? { warmUpMs: 700, measureMs: 1500 } : { warmUpMs: 3000, measureMs: 8000 };
}
