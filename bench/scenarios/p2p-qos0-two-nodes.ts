import { duration, type LoadScenario } from './scenario.ts';

export const p2pQos0TwoNodes: LoadScenario = {
  name: 'p2p-qos0-two-nodes',
  title: 'Two nodes through Redis, QoS 0, 50 publishers to 50 subscribers one to one, 128 B',
  unit: 'message',
  nodes: 2,
  peers: ['mosquitto', 'stock', 'swarmq-redis'],
  figure: 'cpuMicros',
  goals: [{ of: 'swarmq-redis', figure: 'cpuMicros', to: 'stock', bound: { atMost: 0.25 } }],
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
