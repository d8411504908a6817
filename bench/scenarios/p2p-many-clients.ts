import { duration, type LoadScenario } from './scenario.ts';

/** The persistent point-to-point shape of the Open MQTT Benchmark Suite: many clients, little from each. */
export const p2pManyClients: LoadScenario = {
  name: 'p2p-many-clients',
  title: 'Two nodes through Redis, QoS 1, persistent sessions, 5,000 pairs with 1 message per second each, 62 B',
  unit: 'message',
  nodes: 2,
  peers: ['mosquitto', 'stock', 'swarmq-redis'],
  figure: 'cpuMicros',
  goals: [],
  plan: (mode) => ({
    kind: 'traffic',
    pattern: 'pairs',
    publishers: 5000,
    subscribers: 5000,
    qos: 1,
    isPersistent: true,
    payloadBytes: 62,
    tempo: { perSecond: 5000 },
    ...duration(mode),
  }),
};
