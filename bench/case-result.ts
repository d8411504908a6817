import { medianFigures, ratio, type Figures } from './figures.ts';
import type { Round } from './round.ts';
import type { Goal, Scenario } from './scenarios/scenario.ts';
import type { Peer, PeerName } from './servers/peer.ts';

export interface PeerResult {
  name: PeerName;
  title: string;
  rounds: Round[];
  /** Null when no round came to its end. */
  median: Figures | null;
}

export interface GoalResult extends Goal {
  value: number;
  isReached: boolean;
}

export interface CaseResult {
  name: string;
  title: string;
  unit: Scenario['unit'];
  figure: Scenario['figure'];
  peers: PeerResult[];
  /** Those that this run can judge: both sides took part. */
  goals: GoalResult[];
}

/** `earlier`: the cases of this run that came before, which a goal may refer to. */
export function caseResult(scenario: Scenario, rounds: ReadonlyMap<Peer, Round[]>, earlier: readonly CaseResult[]): CaseResult {
  const peers = [...rounds].map(([peer, ofPeer]) => {
    const figures = ofPeer.flatMap((round) => (round.figures === null ? [] : [round.figures]));
    const median = figures.length === 0 ? null : medianFigures(figures);
    return { name: peer.name, title: peer.title, rounds: ofPeer, median };
  });
  const { name, title, unit, figure } = scenario;
  return { name, title, unit, figure, peers, goals: scenario.goals.flatMap((goal) => judge(goal, peers, earlier)) };
}

/** How `own` compares with `other` in the figure of the case. */
export function ratioIn(result: CaseResult, own: PeerResult, other: PeerResult): number | null {
  return ratioOf(result.figure, own, other);
}

/** What went wrong with a peer, each fault once. */
export function faultsOf(peer: PeerResult): string[] {
  return [...new Set(peer.rounds.flatMap(({ fault }) => (fault === null ? [] : [fault])))];
}

function judge(goal: Goal, peers: PeerResult[], earlier: readonly CaseResult[]): GoalResult[] {
  const own = peers.find(({ name }) => name === goal.of);
  const other = otherOf(goal, peers, earlier);
  if (own === undefined || (goal.to !== null && other === undefined)) return [];
  const value = other === undefined ? (own.median?.[goal.figure] ?? null) : ratioOf(goal.figure, own, other);
  if (value === null) return [];
  const isReached = 'atMost' in goal.bound ? value <= goal.bound.atMost : value >= goal.bound.atLeast;
  return [{ ...goal, value, isReached }];
}

function otherOf({ of, to }: Goal, peers: PeerResult[], earlier: readonly CaseResult[]): PeerResult | undefined {
  if (to === null || typeof to === 'string') return peers.find(({ name }) => name === to);
  return earlier.find(({ name }) => name === to.case)?.peers.find(({ name }) => name === of);
}

function ratioOf(figure: Goal['figure'], own: PeerResult, other: PeerResult): number | null {
  const figuresOf = (peer: PeerResult): (Figures | null)[] => peer.rounds.map((round) => round.figures);
  return ratio(figure, figuresOf(own), figuresOf(other));
}
