import type { Metrics } from '../base/metrics.ts';
import type { Connection } from './connection.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';

/**
 * How full is what is bounded for each client: the sums over this node. Added up when somebody asks, so that the hot path keeps
 * no count.
 */
export function watchOccupancy(engine: Engine, metrics: Metrics): void {
  const overSessions = (of: (session: Session) => number): number => {
    let sum = 0;
    for (const session of engine.sessions.values()) sum += of(session);
    return sum;
  };
  const overConnections = (of: (connection: Connection) => number): number => {
    let sum = 0;
    for (const connection of engine.connections) sum += of(connection);
    return sum;
  };
  metrics.gauge('swarmq_messages_in_flight', 'QoS 1 and 2 messages sent to clients of this node and not finished', () =>
    overSessions(({ delivery }) => delivery.inFlight));
  metrics.gauge('swarmq_messages_waiting', 'QoS 1 and 2 messages in the memory of this node that wait for their client\'s window', () =>
    overSessions(({ delivery }) => delivery.waiting));
  metrics.gauge('swarmq_messages_waiting_bytes', 'Payload of the QoS 1 and 2 messages in the memory of this node that wait for their client\'s window', () =>
    overSessions(({ delivery }) => delivery.waitingBytes));
  metrics.gauge('swarmq_messages_unanswered', 'QoS 1 and 2 messages that clients of this node sent and that are not finished', () =>
    overSessions(({ receiving }) => receiving));
  metrics.gauge('swarmq_socket_waiting_bytes', 'Bytes that wait in the connections of this node to be sent', () =>
    overConnections(({ output, state }) => (state === 'closed' ? 0 : output.waiting)));
  metrics.gauge('swarmq_connections_unread', 'Connections that are not read at the moment: a handler is at work, or commits are behind', () =>
    overConnections((connection) => (connection.isBusy || connection.isHeldBack ? 1 : 0)));
  metrics.gauge('swarmq_topic_aliases', 'Topic aliases that clients of this node set, and that it set for them', () =>
    overConnections(({ topicAliases, outgoingAliases }) => (topicAliases?.size ?? 0) + (outgoingAliases?.size ?? 0)));
  metrics.gauge('swarmq_retained_feeds', 'Sessions of this node that still get retained messages for new subscriptions', () =>
    overSessions(({ feed }) => (feed === null ? 0 : 1)));
  metrics.gauge('swarmq_topics_looked_up', 'Topics whose subscribers are remembered', () => engine.routes.remembered);
}
