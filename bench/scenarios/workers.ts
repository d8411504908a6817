import { duration, type LoadScenario } from './scenario.ts';

const titles = {
  dense: 'a window of 20 messages each, so that much is read and written at once',
  sparse: 'a window of 1 message each, so that each message is a read and a write of its own',
};

/**
 * One node against two behind one port. The load generator needs a core of its own, so on a machine of two cores the rate says
 * little: what a message costs all servers together says how many of them fit into a core.
 */
function workers(density: 'dense' | 'sparse'): LoadScenario {
  return {
    name: `workers-${density}`,
    title: `One node against two workers of \`swarmq cluster\` behind one port, on Redis, QoS 0, 50 publishers to 50 subscribers one to one, 128 B, ${titles[density]}`,
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
      tempo: { window: density === 'dense' ? 20 : 1 },
      ...duration(mode),
    }),
  };
}

export const workersCases: readonly LoadScenario[] = [workers('dense'), workers('sparse')];
