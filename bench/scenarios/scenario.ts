import type { FigureName } from '../figures.ts';
import type { LoadPlan } from '../load/plan.ts';
import type { PeerName } from '../servers/peer.ts';

export type Mode = 'quick' | 'full';

/** A figure to reach: of one of ours, as a ratio to a peer in the same run, or by itself. */
export interface Goal {
  of: PeerName;
  figure: FigureName;
  to: PeerName | null;
  bound: { atMost: number } | { atLeast: number };
}

/** One case of the benchmark. */
export interface Scenario {
  name: string;
  title: string;
  /** What one unit of the figures is. */
  unit: 'message' | 'connection';
  /** Nodes of each peer that can be a cluster. */
  nodes: number;
  peers: PeerName[];
  /** The figure the chart shows, and the table's ratios are in. */
  figure: FigureName;
  goals: Goal[];
  plan(mode: Mode): LoadPlan;
}

/** How long messages flow; a quick run says which way the wind blows, a full one is for the record. */
export function duration(mode: Mode): { warmUpMs: number; measureMs: number } {
  return mode === 'quick' ? { warmUpMs: 700, measureMs: 1500 } : { warmUpMs: 3000, measureMs: 8000 };
}
