import { measureRoutes } from '../route-table.ts';
import type { OwnScenario } from './scenario.ts';

export const routes: OwnScenario = {
  name: 'routes',
  title: 'One node that starts with 1,000,000 subscriptions of persistent sessions in Redis, from its start until it is ready',
  unit: 'route',
  nodes: 1,
  peers: ['swarmq-redis'],
  figure: 'brokerKiBEach',
  goals: [
    { of: 'swarmq-redis', figure: 'brokerKiBEach', to: null, bound: { atMost: 200 / 1024 } },
    { of: 'swarmq-redis', figure: 'matchMicros', to: null, bound: { atMost: 5 } },
    // 1,000,000 within 20 s
    { of: 'swarmq-redis', figure: 'perSecond', to: null, bound: { atLeast: 50_000 } },
  ],
  run: (_, options) => measureRoutes(1_000_000, options),
};
