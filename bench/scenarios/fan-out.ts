import { duration, type LoadScenario } from './scenario.ts';

export const fanOut: LoadScenario = {
  name: 'fan-out',
  title: 'One node, QoS 0, 1 publisher to 1,000 subscribers, 128 B',
  unit: 'message',
  nodes: 1,
  peers: ['mosquitto', 'hivemq', 'mochi', 'aedes', 'swarmq', 'swarmq-redis'],
  figure: 'cpuMicros',
  goals: [{ of: 'swarmq', figure: 'cpuMicros', to: 'mosquitto', bound: { atMost: 0.5 } }],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'fan-out',
    publishers: 1,
    subscribers: 1000,
    qos: 0,
    isPersistent: false,
    payloadBytes: 128,
    tempo: { window: 8 },
    ...duration(mode),
  }),
};
