import type { LoadScenario } from './scenario.ts';

export const backlog: LoadScenario = {
  name: 'backlog',
  title: 'Two nodes, 50,000 messages of 200 B, QoS 1, stored for a persistent session and drained when it is back',
  unit: 'message',
  nodes: 2,
  peers: ['mosquitto', 'hivemq', 'mochi', 'stock', 'swarmq-redis'],
  figure: 'perSecond',
  goals: [
    { of: 'swarmq-redis', figure: 'perSecond', to: null, bound: { atLeast: 50_000 } },
    { of: 'swarmq-redis', figure: 'brokerGrowthMiB', to: null, bound: { atMost: 64 } },
  ],
  plan: () => ({
    kind: 'backlog',
    pattern: 'fan-in',
    publishers: 10,
    subscribers: 1,
    qos: 1,
    isPersistent: true,
    payloadBytes: 200,
    messages: 50_000,
    window: 100,
  }),
};
