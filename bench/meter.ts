import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import type { Servers } from './servers/peer.ts';
import { host } from './servers/process.ts';

/** Linux counts in ticks of 1/100 s for programs, whatever the kernel's own clock (USER_HZ). */
const ticksPerSecond = 100;
const bytesPerKiB = 1024;

/** What the servers have used since they started, and what they hold. */
export interface Reading {
  brokerCpuSeconds: number;
  redisCpuSeconds: number;
  brokerBytes: number;
  /** The most the brokers have held since the reading before. */
  brokerPeakBytes: number;
  redisBytes: number;
  /** Commands by name, those inside scripts too, without the meter's own. */
  redisCommands: Record<string, number>;
  /** The longest command since the reading before, of those that took a millisecond; else 0. */
  redisSlowestMs: number;
}

/** Reads the kernel's accounting and Redis's own, and begins a new peak. */
export async function readServers(servers: Servers): Promise<Reading> {
  const brokers = await Promise.all(servers.brokers.map(readProcess));
  const redis = servers.redis === null ? null : await readProcess(servers.redis.process);
  const told = servers.redis === null ? '' : await askRedis(servers.redis.port);
  return {
    brokerCpuSeconds: sum(brokers.map(({ cpuSeconds }) => cpuSeconds)),
    redisCpuSeconds: redis?.cpuSeconds ?? 0,
    brokerBytes: sum(brokers.map(({ bytes }) => bytes)),
    brokerPeakBytes: sum(brokers.map(({ peakBytes }) => peakBytes)),
    redisBytes: redis?.bytes ?? 0,
    redisCommands: commandsIn(told),
    redisSlowestMs: slowestMsIn(told),
  };
}

/** How often each command was called between two readings; those that were not are left out. */
export function commandsBetween(before: Reading, after: Reading): Record<string, number> {
  const calls = Object.entries(after.redisCommands).map(([name, count]) => [name, count - (before.redisCommands[name] ?? 0)] as const);
  return Object.fromEntries(calls.filter(([, count]) => count > 0));
}

interface ProcessReading {
  cpuSeconds: number;
  bytes: number;
  peakBytes: number;
}

async function readProcess({ pid }: { pid: number }): Promise<ProcessReading> {
  const [stat, status] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/status`, 'utf8')]);
  // Begins VmHWM anew (proc(5), clear_refs).
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  return {
    cpuSeconds: cpuTicks(stat) / ticksPerSecond,
    bytes: statusKiB(status, 'VmRSS') * bytesPerKiB,
    peakBytes: statusKiB(status, 'VmHWM') * bytesPerKiB,
  };
}

/** utime + stime of a /proc/PID/stat: of all threads, also of those that ended. */
export function cpuTicks(stat: string): number {
  // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
  const fromThird = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fromThird[11]) + Number(fromThird[12]);
}

function statusKiB(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
}

/** Redis's own account, as it answers: commands by name, and the slow ones, of which it begins a new list. */
async function askRedis(port: number): Promise<string> {
  const socket = connect({ host, port });
  socket.end('INFO commandstats\r\nSLOWLOG GET -1\r\nSLOWLOG RESET\r\nQUIT\r\n');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(socket, 'close');
  return text;
}

function commandsIn(told: string): Record<string, number> {
  const own = ['info', 'quit', 'slowlog|get', 'slowlog|reset'];
  const calls = [...told.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name, count]) => [name!, Number(count)] as const);
  return Object.fromEntries(calls.filter(([name]) => !own.includes(name)));
}

/** An entry of the slow log is a list of six: its number, when it was, and how long in us, come first. */
export function slowestMsIn(told: string): number {
  return Math.max(0, ...[...told.matchAll(/\*6\r\n:\d+\r\n:\d+\r\n:(\d+)\r\n/g)].map(([, micros]) => Number(micros) / 1000));
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
