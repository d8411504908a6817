import { collectGarbage } from './collect.ts';
import type { Figures } from './figures.ts';
import { LoadProcess } from './load-process.ts';
import type { Faults } from './load/ledger.ts';
import type { LoadResult } from './load/plan.ts';
import { commandsBetween, readServers, type Reading } from './meter.ts';
import type { LoadScenario, Mode, Scenario } from './scenarios/scenario.ts';
import type { Peer, Servers } from './servers/peer.ts';
import { host } from './servers/process.ts';

/** Between the last message and a reading: for the acknowledgements behind it. */
const quietMs = 250;
const MiB = 1024 * 1024;

/** One peer's turn in one round of a case. */
export interface Round {
  /** Null when the round broke off. */
  figures: Figures | null;
  /** Redis commands per unit, by name. */
  redisCommands: Record<string, number>;
  /** How late the load generator was with paced messages, p99. */
  pacerP99Ms: number | null;
  /** What was wrong: why it broke off, or what the checks found. Null when all is well. */
  fault: string | null;
}

export interface RoundOptions {
  mode: Mode;
  appendOnly: boolean;
  /** Arguments for Node itself, where brokers run on it. */
  nodeArgs?: readonly string[];
}

/**
 * Starts a peer and a load generator, measures between two moments in which nothing is on its way, stops both. So the
 * counts of messages and the servers' accounts belong together exactly.
 */
export async function runRound(scenario: Scenario, peer: Peer, options: RoundOptions): Promise<Round> {
  try {
    if ('run' in scenario) return await scenario.run(peer, options);
    return await withLoad(scenario, peer, options, async (servers, load, empty) => {
      if (scenario.isAboutMemory === true) await Promise.all(servers.processes.map(collectGarbage));
      const before = await readServers(servers);
      const result = await load.measure();
      await pause(quietMs);
      if (scenario.isAboutMemory === true) await Promise.all(servers.processes.map(collectGarbage));
      const { stored = null } = scenario;
      const storedKiBEach = stored === null ? null : (heldBytes(before) - heldBytes(empty)) / 1024 / stored(options.mode);
      return roundOf(before, result, await readServers(servers), storedKiBEach);
    });
  } catch (error) {
    return brokenOff(error instanceof Error ? error.message : String(error));
  }
}

/** Does `work` with a peer and a load that are ready and quiet; both have ended when it resolves. */
export async function withLoad<T>(
  scenario: LoadScenario,
  peer: Peer,
  { mode, appendOnly, nodeArgs = [] }: RoundOptions,
  work: (servers: Servers, load: LoadProcess, empty: Reading) => Promise<T>,
): Promise<T> {
  const servers = await peer.start({ nodes: scenario.nodes, appendOnly, nodeArgs });
  try {
    const load = await LoadProcess.start();
    if (scenario.isAboutMemory === true) await Promise.all(servers.processes.map(collectGarbage));
    const empty = await readServers(servers);
    try {
      await load.prepare(scenario.plan(mode), { host, ports: servers.ports });
      await pause(quietMs);
      return await work(servers, load, empty);
    } finally {
      load.stop();
    }
  } finally {
    await servers.stop();
  }
}

function brokenOff(fault: string): Round {
  return { figures: null, redisCommands: {}, pacerP99Ms: null, fault };
}

function heldBytes({ brokerBytes, redisBytes }: Reading): number {
  return brokerBytes + redisBytes;
}

function roundOf(before: Reading, result: LoadResult, after: Reading, storedKiBEach: number | null): Round {
  const fault = describe(result.faults);
  const { units } = result;
  if (units === 0) return brokenOff(fault ?? 'nothing arrived');

  const microsEach = (seconds: number): number => (seconds * 1e6) / units;
  const brokerMicros = microsEach(after.brokerCpuSeconds - before.brokerCpuSeconds);
  const redisMicros = microsEach(after.redisCpuSeconds - before.redisCpuSeconds);
  const commands = Object.entries(commandsBetween(before, after)).map(([name, count]) => [name, count / units] as const);
  const figures: Figures = {
    perSecond: units / result.seconds,
    cpuMicros: brokerMicros + redisMicros,
    brokerMicros,
    redisMicros,
    p50Ms: inMs(result.p50Micros),
    p99Ms: inMs(result.p99Micros),
    p999Ms: inMs(result.p999Micros),
    brokerMiB: after.brokerBytes / MiB,
    brokerGrowthMiB: (after.brokerPeakBytes - before.brokerBytes) / MiB,
    brokerKiBEach: (after.brokerBytes - before.brokerBytes) / 1024 / units,
    redisMiB: after.redisBytes / MiB,
    redisSlowestMs: after.redisBytes === 0 ? null : after.redisSlowestMs,
    storedKiBEach,
    redisCommandsEach: commands.reduce((total, [, count]) => total + count, 0),
    loadMicros: microsEach(result.loadCpuSeconds),
    loadShare: result.loadCpuSeconds / result.seconds,
    matchMicros: null,
  };
  return { figures, redisCommands: Object.fromEntries(commands), pacerP99Ms: inMs(result.pacerP99Micros), fault };
}

function describe(faults: Faults): string | null {
  const found = Object.entries(faults).filter(([, count]) => count > 0);
  return found.length === 0 ? null : found.map(([name, count]) => `${count} ${name}`).join(', ');
}

function inMs(micros: number | null): number | null {
  return micros === null ? null : micros / 1000;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
