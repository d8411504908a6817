import { duration, type LoadScenario } from './scenario.ts';

export const latencyPacedPersistent: LoadScenario = {
  name: 'latency-paced-persistent',
  title: 'Two nodes through Redis, QoS 1, persistent sessions, 50 pairs, 5,000 messages per second in all, 128 B',
  unit: 'message',
  nodes: 2,
  peers: ['mosquitto', 'hivemq', 'mochi', 'stock', 'swarmq-redis'],
  figure: 'p99Ms',
  goals: [{ of: 'swarmq-redis', figure: 'p99Ms', to: null, bound: { atMost: 5 } }],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'pairs',
    publishers: 50,
    subscribers: 50,
    qos: 1,
    isPersistent: true,
    payloadBytes: 128,
    tempo: { perSecond: 5000 },
    ...duration(mode),
  }),
};
