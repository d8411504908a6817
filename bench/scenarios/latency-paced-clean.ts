import { duration, type LoadScenario } from './scenario.ts';

export const latencyPacedClean: LoadScenario = {
  name: 'latency-paced-clean',
  title: 'One node, QoS 1, clean sessions, 50 pairs, 5,000 messages per second in all, 128 B',
  unit: 'message',
  nodes: 1,
  peers: ['mosquitto', 'hivemq', 'mochi', 'aedes', 'swarmq', 'swarmq-redis'],
  figure: 'p99Ms',
  goals: [{ of: 'swarmq', figure: 'p99Ms', to: null, bound: { atMost: 2 } }],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'pairs',
    publishers: 50,
    subscribers: 50,
    qos: 1,
    isPersistent: false,
    payloadBytes: 128,
    tempo: { perSecond: 5000 },
    ...duration(mode),
  }),
};
