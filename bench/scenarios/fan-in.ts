import { duration, type LoadScenario } from './scenario.ts';

export const fanIn: LoadScenario = {
  name: 'fan-in',
  title: 'One node, QoS 1, 1,000 publishers to 5 subscribers, each message to one of them by its topic, 128 B',
  unit: 'message',
  nodes: 1,
  peers: ['mosquitto', 'hivemq', 'mochi', 'aedes', 'swarmq', 'swarmq-redis'],
  figure: 'cpuMicros',
  goals: [],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'fan-in',
    publishers: 1000,
    subscribers: 5,
    qos: 1,
    isPersistent: false,
    payloadBytes: 128,
    tempo: { window: 4 },
    ...duration(mode),
  }),
};
