import type { Cluster, ClusterHandlers, Incarnation, RouteSink } from './cluster.ts';

/** The cluster of one node without Redis: nobody to tell, nobody to ask. */
export function alone(node: string): Cluster {
  const incarnation: Incarnation = `${node}#1`;
  let sink: RouteSink | null = null;
  const nobody = (): never => {
    throw new Error('a node alone sends nothing to others');
  };
  return {
    incarnation,
    routes: {
      load: (routes) => {
        sink = routes;
        return Promise.resolve();
      },
      change: (changes) => {
        for (const change of changes) sink?.change(change);
        return Promise.resolve();
      },
      read: () => 0,
      follow: () => true,
      catchUp: () => Promise.resolve(),
    },
    inbox: { send: nobody, seal: () => undefined, target: nobody },
    handover: { takeFrom: () => Promise.resolve(), isAlive: (other) => Promise.resolve(other === incarnation) },
    roles: { hold: () => Promise.resolve(1), resign: () => Promise.resolve() },
    members: () => [{ incarnation, node, facts: {}, isAlive: true }],
    isCertain: true,
    whenCertain: () => Promise.resolve(),
    serve: () => Promise.resolve(),
    unserve: () => undefined,
    start: (_handlers: ClusterHandlers) => Promise.resolve(),
    retire: () => Promise.resolve(),
    leave: () => Promise.resolve(),
    tell: () => undefined,
  };
}
