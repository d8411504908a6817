import type { LoadScenario } from './scenario.ts';

const titles = {
  exact: 'One node, a subscription to one topic',
  wildcard: 'One node, a subscription to 10 topics by a wildcard in the middle',
};

/** How long a new subscriber waits for what is retained, among very many retained topics. */
function retained(filter: 'exact' | 'wildcard'): LoadScenario {
  const bound = { atMost: 10 };
  return {
    name: `retained-${filter}`,
    title: `${titles[filter]} among 1,000,000 retained ones (100,000 in a quick run), to the last retained message`,
    unit: 'subscription',
    nodes: 1,
    peers: ['mosquitto', 'swarmq', 'swarmq-redis'],
    figure: 'p99Ms',
    goals: (['swarmq', 'swarmq-redis'] as const).map((of) => ({ of, figure: 'p99Ms', to: null, bound })),
    plan: (mode) => ({ kind: 'retained', filter, topics: mode === 'quick' ? 100_000 : 1_000_000, subscriptions: mode === 'quick' ? 300 : 2000, payloadBytes: 32 }),
  };
}

export const retainedCases: readonly LoadScenario[] = [retained('exact'), retained('wildcard')];
