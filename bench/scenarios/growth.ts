import { duration, type LoadScenario } from './scenario.ts';

const sizes = [100, 1000, 10_000] as const;
const perSecond = 10_000;

/** The same messages each second from more and more clients: what a client costs by being there. */
function growth(qos: 0 | 1, clients: number): LoadScenario {
  const first = `growth-qos${qos}-${sizes[0]}`;
  const bound = { atMost: 1.5 };
  return {
    name: `growth-qos${qos}-${clients}`,
    title: `One node, QoS ${qos}, ${clients / 2} pairs, ${perSecond} messages per second over all of them, 128 B`,
    unit: 'message',
    nodes: 1,
    peers: ['mosquitto', 'swarmq', 'swarmq-redis'],
    figure: 'cpuMicros',
    goals: clients === sizes[0] ? [] : (['swarmq', 'swarmq-redis'] as const).map((of) => ({ of, figure: 'cpuMicros', to: { case: first }, bound })),
    plan: (mode) => ({
      kind: 'traffic',
      pattern: 'pairs',
      publishers: clients / 2,
      subscribers: clients / 2,
      qos,
      isPersistent: false,
      payloadBytes: 128,
      tempo: { perSecond },
      ...duration(mode),
    }),
  };
}

export const growths: readonly LoadScenario[] = ([0, 1] as const).flatMap((qos) => sizes.map((clients) => growth(qos, clients)));
