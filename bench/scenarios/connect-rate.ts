import type { LoadScenario } from './scenario.ts';

export const connectRate: LoadScenario = {
  name: 'connect-rate',
  title: 'One node, clients that connect, subscribe and leave, 50 at a time',
  unit: 'connection',
  nodes: 1,
  peers: ['mosquitto', 'hivemq', 'mochi', 'aedes', 'stock', 'floor', 'swarmq', 'swarmq-redis'],
  // The load generator makes some 10,000 connections per second and core itself, so a node's rate is told by its CPU.
  figure: 'cpuMicros',
  goals: [{ of: 'swarmq', figure: 'cpuMicros', to: 'aedes', bound: { atMost: 1 / 3 } }],
  plan: (mode) => ({
    kind: 'connections',
    connections: mode === 'quick' ? 4000 : 20_000,
    concurrency: 50,
    warmUpConnections: 1000,
    stay: false,
  }),
};
