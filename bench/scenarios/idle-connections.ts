import type { LoadScenario } from './scenario.ts';

export const idleConnections: LoadScenario = {
  name: 'idle-connections',
  title: 'One node, memory of an idle connection with one subscription, above the empty node',
  unit: 'connection',
  nodes: 1,
  peers: ['mosquitto', 'hivemq', 'mochi', 'aedes', 'stock', 'swarmq', 'swarmq-redis'],
  figure: 'brokerKiBEach',
  isAboutMemory: true,
  goals: [
    { of: 'swarmq', figure: 'brokerKiBEach', to: null, bound: { atMost: 6 } },
    { of: 'swarmq-redis', figure: 'brokerKiBEach', to: null, bound: { atMost: 6 } },
  ],
  // Some connections that come and go first, so that compiled code is not counted as a connection's memory.
  plan: (mode) => ({
    kind: 'connections',
    connections: mode === 'quick' ? 4000 : 9000,
    concurrency: 50,
    warmUpConnections: 1000,
    stay: true,
  }),
};
