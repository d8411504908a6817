import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import type { TestNode } from '../support/node.ts';

/** What an operator sees of a node: its readiness, with the reasons against it, and its figures. */

interface Readiness {
  readonly status: number;
  /** the concerns that are not fine, as `name: reason` */
  readonly reasons: readonly string[];
}

export async function readiness(node: TestNode): Promise<Readiness> {
  const response = await fetch(`${node.adminUrl}/health/ready`);
  const { concerns } = (await response.json()) as { concerns: readonly { name: string; ok: boolean; reason?: string }[] };
  return { status: response.status, reasons: concerns.filter(({ ok }) => !ok).map(({ name, reason }) => `${name}: ${reason ?? ''}`) };
}

/** Every node says 503, with a reason that matches. */
export async function notReady(nodes: readonly TestNode[], reason: RegExp, withinMs = 10_000): Promise<void> {
  await reports(nodes, ({ status, reasons }) => status === 503 && reasons.some((text) => reason.test(text)), `503 for ${reason}`, withinMs);
}

/** Every node says 200, by itself. */
export async function readyAgain(nodes: readonly TestNode[], withinMs = 15_000): Promise<void> {
  await reports(nodes, ({ status }) => status === 200, '200', withinMs);
}

async function reports(nodes: readonly TestNode[], isIt: (seen: Readiness) => boolean, what: string, withinMs: number): Promise<void> {
  for (const node of nodes) {
    let last: Readiness | undefined;
    await eventually(async () => isIt((last = await readiness(node))), {
      withinMs,
      what: () => `${what} of ${node.id} (${last?.status ?? 'no answer'}: ${last?.reasons.join('; ') ?? ''})`,
    });
  }
}

/** The figure of this name, added up over its labels and over the nodes. */
export async function figure(nodes: readonly TestNode[], name: string): Promise<number> {
  const pages = await Promise.all(nodes.map(async (node) => (await fetch(`${node.adminUrl}/metrics`)).text()));
  const lines = pages.flatMap((page) => page.split('\n')).filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  assert.ok(lines.length > 0, `there is no metric ${name}`);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Nobody was called dead, and nobody fenced himself. */
export async function nobodyDied(nodes: readonly TestNode[]): Promise<void> {
  assert.equal(await figure(nodes, 'swarmq_burials_total'), 0, 'burials');
  assert.equal(await figure(nodes, 'swarmq_fenced_total'), 0, 'fenced lives');
}
