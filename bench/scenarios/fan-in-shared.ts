import { duration, type LoadScenario } from './scenario.ts';

/** Aedes and with it the stock stack have no shared subscriptions. */
export const fanInShared: LoadScenario = {
  name: 'fan-in-shared',
  title: 'One node, QoS 1, 1,000 publishers to a shared subscription with 5 members, 128 B',
  unit: 'message',
  nodes: 1,
  peers: ['mosquitto', 'hivemq', 'mochi', 'floor', 'swarmq', 'swarmq-redis'],
  figure: 'cpuMicros',
  goals: [{ of: 'swarmq', figure: 'cpuMicros', to: 'mosquitto', bound: { atMost: 0.5 } }],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'fan-in-shared',
    publishers: 1000,
    subscribers: 5,
    qos: 1,
    isPersistent: false,
    payloadBytes: 128,
    tempo: { window: 4 },
    ...duration(mode),
  }),
};
