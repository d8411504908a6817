import { duration, type LoadScenario } from './scenario.ts';

export const p2pQos2Clean: LoadScenario = {
  name: 'p2p-qos2-clean',
  title: 'One node, QoS 2, clean sessions, 50 publishers to 50 subscribers one to one, 128 B',
  unit: 'message',
  nodes: 1,
  peers: ['mosquitto', 'hivemq', 'mochi', 'aedes', 'swarmq', 'swarmq-redis'],
  figure: 'cpuMicros',
  goals: [],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'pairs',
    publishers: 50,
    subscribers: 50,
    qos: 2,
    isPersistent: false,
    payloadBytes: 128,
    tempo: { window: 20 },
    ...duration(mode),
  }),
};
