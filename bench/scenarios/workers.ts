import { duration, type LoadScenario } from './scenario.ts';

/**
 * One node against two behind one port. The load generator needs a core of its own, so on a machine of two cores the rate says
 * little: what a message costs all servers together says how many of them fit into a core.
 */
export const workers: LoadScenario = {
  name: 'workers',
  title: 'One node against two workers of `swarmq cluster` behind one port, on Redis, QoS 0, 50 publishers to 50 subscribers one to one, 128 B',
  unit: 'message',
  nodes: 1,
  peers: ['swarmq-redis', 'swarmq-workers'],
  figure: 'cpuMicros',
  goals: [],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'pairs',
    publishers: 50,
    subscribers: 50,
    qos: 0,
    isPersistent: false,
    payloadBytes: 128,
    tempo: { window: 20 },
    ...duration(mode),
  }),
};
