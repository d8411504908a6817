import { readdirSync, readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/**
 * Keys that no living thing needs, in words: what sessions, routes and dead nodes left behind. `lives`: the incarnations that
 * are alive. What is to be tidied up stays for a minute, and the mark of a burial for a day; neither is left over.
 */
export async function leftovers(redis: Redis, prefix = 'sq:'): Promise<string[]> {
  const lives = Object.keys(await redis.hgetall(`${prefix}members`));
  const found: string[] = [];
  for (const key of await redis.keys(`${prefix}*`)) {
    const name = key.slice(prefix.length);
    const life = /^n:\{(.+)\}/.exec(name)?.[1];
    if (name.startsWith('s:') && !name.endsWith(':ended')) found.push(key);
    if (life !== undefined && !lives.includes(life) && (await redis.get(key).catch(() => '')) !== 'buried') found.push(key);
    if (name.endsWith(':served') && (await redis.scard(key)) > 0) found.push(`${key}: ${(await redis.smembers(key)).slice(0, 5).join(', ')}`);
  }
  const routes = Object.keys(await redis.hgetall(`${prefix}{routes}:table`));
  if (routes.length > 0) found.push(`${routes.length} routes: ${routes.slice(0, 5).map((route) => JSON.stringify(route)).join(', ')}`);
  for (const what of ['sessions', 'wills']) {
    const due = await redis.zrange(`${prefix}due:${what}`, 0, 4);
    if (due.length > 0) found.push(`due:${what}: ${due.join(', ')}`);
  }
  const retained = await redis.hlen(`${prefix}{retained}:messages`);
  if (retained > 0) found.push(`${retained} retained messages`);
  return found;
}

export interface Weight {
  readonly residentMiB: number;
  readonly descriptors: number;
}

/** What a process holds: Linux only. */
export function weightOf(pid: number): Weight {
  const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  return { residentMiB: Math.round(kib / 1024), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}
