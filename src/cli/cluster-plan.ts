import { listenerUrl, type Listener } from '../config/listener.ts';
import type { Config } from '../config/schema.ts';
import { HeldPorts } from './ports.ts';

/** One node of a cluster on this machine. */
export interface PlannedNode {
  readonly config: Config;
  /** The listener that reaches this node and no other. */
  readonly direct: Listener;
}

export interface ClusterPlan {
  /** The first address behind which all nodes stand. */
  readonly endpoint: string;
  readonly nodes: readonly PlannedNode[];
}

/**
 * Gives each node its id, its own direct and admin ports, and the listeners that all share. Node i is `<baseId>i`; its
 * admin port is the given one plus i - 1. Direct ports count up from `directPort` and pass over busy ones.
 *
 * Rejects with the error of `listen` when a shared or an admin address cannot be had.
 */
export async function planCluster(config: Config, baseId: string, count: number, directPort: number | null): Promise<ClusterPlan> {
  const ports = new HeldPorts();
  try {
    const shared: Listener[] = [];
    for (const listener of config.listeners) shared.push(at(listener, await ports.take(listener.host, listener.port)));
    const [first] = shared;
    if (first === undefined) throw new RangeError('a checked configuration has a listener');

    const nodes: PlannedNode[] = [];
    const isAnyPort = config.listeners[0]?.port === 0;
    let next = directPort ?? (isAnyPort ? 0 : first.port + 1);
    for (let i = 1; i <= count; i++) {
      const port = await ports.takeFrom(first.host, next);
      if (next !== 0) next = port + 1;
      const direct = { ...at(first, port), exclusive: true };
      const admin = { listen: await takeAdmin(ports, config.admin.listen, i) };
      nodes.push({ direct, config: { ...config, node: { id: `${baseId}${i}` }, admin, listeners: [...shared, direct] } });
    }
    return { endpoint: first.url, nodes };
  } finally {
    await ports.release();
  }
}

async function takeAdmin(ports: HeldPorts, listen: Config['admin']['listen'], i: number): Promise<Config['admin']['listen']> {
  if (listen === null) return null;
  const { host, port } = listen;
  return { host, port: await ports.take(host, port === 0 ? 0 : port + i - 1) };
}

function at(listener: Listener, port: number): Listener {
  return { ...listener, port, url: listenerUrl(listener.scheme, listener.host, port, listener.path) };
}
