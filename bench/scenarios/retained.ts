import type { Goal, LoadScenario, Mode } from './scenario.ts';

const ours = ['swarmq', 'swarmq-redis'] as const;
const payloadBytes = 32;

const titles = {
  exact: 'One node, a subscription to one topic',
  wildcard: 'One node, a subscription to 10 topics by a wildcard in the middle',
  rare: 'One node, a subscription that finds one topic behind a wildcard that stands for a tenth of all',
};

function topics(mode: Mode): number {
  return mode === 'quick' ? 100_000 : 1_000_000;
}

const among = 'among 1,000,000 retained ones (100,000 in a quick run)';

/** The longest that Redis may be busy with one page. */
const briefly: Goal = { of: 'swarmq-redis', figure: 'redisSlowestMs', to: null, bound: { atMost: 5 } };

/** How long a new subscriber waits for what is retained, among very many retained topics. */
function retained(filter: keyof typeof titles): LoadScenario {
  const bound = { atMost: 10 };
  return {
    name: `retained-${filter}`,
    title: `${titles[filter]} ${among}, to the last retained message`,
    unit: 'subscription',
    nodes: 1,
    peers: ['mosquitto', 'swarmq', 'swarmq-redis'],
    figure: 'p99Ms',
    goals: [...ours.map((of) => ({ of, figure: 'p99Ms', to: null, bound }) as const), briefly],
    plan: (mode) => ({ kind: 'retained', filter, topics: topics(mode), subscriptions: mode === 'quick' ? 300 : 2000, payloadBytes }),
  };
}

/** How fast everything that is retained comes, what others feel of it, and what it takes to keep. */
const stream: LoadScenario = {
  name: 'retained-stream',
  title: `One node, a subscription to everything ${among}; the latency is that of QoS 1 messages between two other clients meanwhile`,
  unit: 'message',
  nodes: 1,
  peers: ['mosquitto', 'swarmq', 'swarmq-redis'],
  figure: 'p99Ms',
  isAboutMemory: true,
  goals: [
    ...ours.map((of) => ({ of, figure: 'p99Ms', to: null, bound: { atMost: 10 } }) as const),
    briefly,
    ...ours.map((of) => ({ of, figure: 'storedKiBEach', to: null, bound: { atMost: 1 } }) as const),
  ],
  stored: topics,
  plan: (mode) => ({ kind: 'retained-stream', topics: topics(mode), payloadBytes }),
};

export const retainedCases: readonly LoadScenario[] = [retained('exact'), retained('wildcard'), retained('rare'), stream];
