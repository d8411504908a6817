import { duration, type LoadScenario } from './scenario.ts';

export const p2pQos1Clean: LoadScenario = {
  name: 'p2p-qos1-clean',
  title: 'One node, QoS 1, clean sessions, 50 publishers to 50 subscribers one to one, 128 B',
  unit: 'message',
  nodes: 1,
  peers: ['mosquitto', 'hivemq', 'mochi', 'aedes', 'stock', 'swarmq', 'swarmq-redis'],
  figure: 'cpuMicros',
  goals: [
    { of: 'swarmq', figure: 'cpuMicros', to: 'mosquitto', bound: { atMost: 0.25 } },
    { of: 'swarmq-redis', figure: 'cpuMicros', to: 'mosquitto', bound: { atMost: 0.25 } },
  ],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'pairs',
    publishers: 50,
    subscribers: 50,
    qos: 1,
    isPersistent: false,
    payloadBytes: 128,
    tempo: { window: 20 },
    ...duration(mode),
  }),
};
