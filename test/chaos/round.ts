import { setTimeout as wait } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { randomOf } from '../support/random.ts';
import { carryOut } from './faults.ts';
import { leftovers, weightOf, type Weight } from './leftovers.ts';
import { figure, readyAgain } from './operator.ts';
import { describeFault, type Fault } from './schedule.ts';
import type { Stage } from './stage.ts';
import { Traffic } from './traffic.ts';

export interface RoundOptions {
  readonly seed: number;
  readonly round: number;
  readonly perSecond: number;
  readonly faults: readonly Fault[];
  readonly lengthMs: number;
  readonly tell: (line: string) => void;
}

/** What one round showed. */
export interface RoundResult {
  readonly round: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly acknowledged: number;
  readonly wills: number;
  readonly connects: number;
  readonly complaints: readonly string[];
  /** the longest wait of a publisher for an acknowledgement */
  readonly longestWaitMs: number;
  /** the longest that a client that came back was without a connection */
  readonly longestAwayMs: number;
  /** from the end of the last fault until all that was acknowledged had come */
  readonly recoveryMs: number;
  readonly burials: number;
  readonly fenced: number;
  readonly weights: readonly Weight[];
}

const patienceMs = 60_000;
/** What comes twice comes soon. */
const quietMs = 500;

/** Plays one round: load, the faults of the schedule, rest, judgement. Throws only when the stage itself breaks down. */
export async function playRound(stage: Stage, options: RoundOptions): Promise<RoundResult> {
  const { seed, round, faults, lengthMs, tell } = options;
  const traffic = new Traffic(stage, `r${round}`, { perSecond: options.perSecond, random: randomOf(seed + round) });
  const complaints: string[] = [];
  await traffic.start();
  const began = performance.now();
  const underWay = faults.map(async (fault) => {
    await wait(Math.max(0, fault.atMs - (performance.now() - began)));
    tell(describeFault(fault));
    try {
      await carryOut(stage, fault);
    } catch (error) {
      complaints.push(`${fault.kind}: ${(error as Error).message.split('\n')[0] ?? ''}`);
    }
  });
  await Promise.all([...underWay, wait(lengthMs)]);
  const healedAt = performance.now();
  try {
    await readyAgain(stage.nodes, patienceMs);
    await traffic.settle(patienceMs);
  } catch (error) {
    complaints.push((error as Error).message, ...(await circumstances(stage, traffic)));
  }
  const recoveryMs = Math.round(performance.now() - healedAt);
  await wait(quietMs);
  complaints.push(...(await traffic.complaints()));
  await traffic.leave();
  complaints.push(...(await remains(stage)));
  return {
    round,
    faults: countKinds(faults),
    acknowledged: traffic.acknowledged,
    wills: traffic.wills,
    connects: traffic.devices.reduce((sum, { connects }) => sum + connects, 0),
    complaints,
    longestWaitMs: Math.round(traffic.longestWaitMs),
    longestAwayMs: Math.round(Math.max(...traffic.devices.map((device) => device.longestAwayMs))),
    recoveryMs,
    burials: await figure(stage.nodes, 'swarmq_burials_total'),
    fenced: await figure(stage.nodes, 'swarmq_fenced_total'),
    weights: stage.nodes.map(({ pid }) => weightOf(pid)),
  };
}

/** How Redis and the nodes see those who still miss something. */
async function circumstances(stage: Stage, traffic: Traffic): Promise<string[]> {
  const redis = stage.redis.client();
  const lines: string[] = [];
  for (const { id } of traffic.keepers.filter((keeper) => traffic.ledger.missing(keeper.id) > 0)) {
    const { will: _will, ...session } = await redis.hgetall(`sq:s:{${id}}`);
    const [first] = await redis.xrange(`sq:s:{${id}}:q`, '-', '+', 'COUNT', 1);
    lines.push(`${id}: ${await redis.xlen(`sq:s:{${id}}:q`)} queued from ${first?.[0] ?? 'nothing'} on, session ${JSON.stringify(session)}`);
  }
  redis.disconnect();
  const figures = ['swarmq_sessions', 'swarmq_messages_in_flight', 'swarmq_messages_waiting', 'swarmq_commit_depth', 'swarmq_connections_unread', 'swarmq_store_away_ms'];
  for (const node of stage.nodes) {
    const values = await Promise.all(figures.map(async (name) => `${name.slice('swarmq_'.length)} ${await figure([node], name)}`));
    lines.push(`${node.id}: ${values.join(', ')}`);
  }
  return lines;
}

/** What is left in Redis once the burials are over; nothing, in the end. */
async function remains(stage: Stage): Promise<string[]> {
  const redis = stage.redis.client();
  let left: string[] = [];
  try {
    await eventually(async () => (left = await leftovers(redis)).length === 0, { withinMs: patienceMs / 2, what: 'empty Redis' });
    return [];
  } catch {
    return [`left over in Redis: ${left.slice(0, 10).join('; ')}`];
  } finally {
    redis.disconnect();
  }
}

function countKinds(faults: readonly Fault[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of faults) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
