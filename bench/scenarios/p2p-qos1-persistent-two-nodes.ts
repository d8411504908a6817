import { duration, type LoadScenario } from './scenario.ts';

export const p2pQos1PersistentTwoNodes: LoadScenario = {
  name: 'p2p-qos1-persistent-two-nodes',
  title: 'Two nodes through Redis, QoS 1, persistent sessions, 50 publishers to 50 subscribers one to one, 128 B',
  unit: 'message',
  nodes: 2,
  peers: ['mosquitto', 'hivemq', 'mochi', 'stock', 'swarmq-redis'],
  figure: 'cpuMicros',
  goals: [
    { of: 'swarmq-redis', figure: 'cpuMicros', to: 'stock', bound: { atMost: 0.1 } },
    { of: 'swarmq-redis', figure: 'cpuMicros', to: 'mosquitto', bound: { atMost: 1 } },
    { of: 'swarmq-redis', figure: 'redisCommandsEach', to: null, bound: { atMost: 3 } },
  ],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'pairs',
    publishers: 50,
    subscribers: 50,
    qos: 1,
    isPersistent: true,
    payloadBytes: 128,
    tempo: { window: 20 },
    ...duration(mode),
  }),
};
