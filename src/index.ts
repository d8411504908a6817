/** Swarmq inside a program: `docs/embedding.md`. */
export { Broker, type BrokerOptions } from './engine/broker.ts';
export type { Client } from './engine/client.ts';
export type { PacketToPublish } from './engine/aedes-packet.ts';
export { BrokerError, type ErrorCode, type ErrorKind } from './base/errors.ts';
export { loadConfig, resolveConfig, type LoadedConfig, type Sources } from './config/load.ts';
export type { Config } from './config/schema.ts';
export { Metrics } from './base/metrics.ts';
export { openLog, type Logger, type LogLevel } from './base/log.ts';
export { SystemClock } from './base/clock.ts';
export type { Store } from './store/store.ts';
export type { Cluster } from '../cluster/cluster.ts';
