import { backlog } from './backlog.ts';
import { connectRate } from './connect-rate.ts';
import { fanInShared } from './fan-in-shared.ts';
import { fanIn } from './fan-in.ts';
import { fanOut } from './fan-out.ts';
import { growths } from './growth.ts';
import { idleConnections } from './idle-connections.ts';
import { latencyPacedClean } from './latency-paced-clean.ts';
import { latencyPacedPersistent } from './latency-paced-persistent.ts';
import { p2pManyClients } from './p2p-many-clients.ts';
import { p2pQos0TwoNodes } from './p2p-qos0-two-nodes.ts';
import { p2pQos0 } from './p2p-qos0.ts';
import { p2pQos1Clean } from './p2p-qos1-clean.ts';
import { p2pQos1PersistentTwoNodes } from './p2p-qos1-persistent-two-nodes.ts';
import { p2pQos2Clean } from './p2p-qos2-clean.ts';
import { retainedCases } from './retained.ts';
import { routes } from './routes.ts';
import type { Scenario } from './scenario.ts';
import { workersCases } from './workers.ts';

/** In the order of the report. */
export const scenarios: readonly Scenario[] = [
  p2pQos0,
  p2pQos1Clean,
  p2pQos2Clean,
  p2pQos0TwoNodes,
  p2pQos1PersistentTwoNodes,
  p2pManyClients,
  fanOut,
  fanIn,
  fanInShared,
  latencyPacedClean,
  latencyPacedPersistent,
  backlog,
  connectRate,
  idleConnections,
  ...growths,
  ...workersCases,
  ...retainedCases,
  routes,
];
