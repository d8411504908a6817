import type { ErrorCode } from '../base/errors.ts';
import type { Counter, Counters, Metrics } from '../base/metrics.ts';
import { PacketType } from '../codec/packets.ts';

export type DropReason =
  | 'slow-client'
  | 'queue-full'
  | 'queue-full-bytes'
  | 'expired'
  | 'packet-too-large'
  | 'unreadable'
  | 'retained-too-large'
  | 'retained-full'
  | 'not-authorized'
  | 'payload-format-invalid'
  | 'outbox-full'
  | 'commit-full'
  | 'fenced';

/** What the engine counts: plain numbers on the hot path. */
export interface Counts {
  readonly received: Counter;
  readonly sent: Counter;
  readonly commits: Counter;
  readonly committed: Counter;
  readonly heldBack: Counter;
  /** MQTT packets by their type [MQTT 5, 2.1.2] */
  readonly packetsReceived: readonly Counter[];
  readonly packetsSent: readonly Counter[];
  /** bytes of MQTT, without those of TLS or WebSocket around it */
  readonly bytesReceived: Counter;
  readonly bytesSent: Counter;
  readonly publishBytesReceived: Counter;
  readonly publishBytesSent: Counter;
  readonly accepted: Counter;
  readonly lostNudges: Counter;
  readonly heldBackLines: Counter;
  readonly connects: Counter;
  readonly takeovers: Counter;
  readonly cutQueues: Counter;
  readonly wills: Counter;
  readonly expiredSessions: Counter;
  readonly expiredRetained: Counter;
  readonly handshakesFailed: { of(kind: 'tls' | 'websocket'): Counter };
  readonly dropped: Counters<DropReason>;
  readonly closed: { of(reason: ErrorCode | 'client'): Counter };
}

export function makeCounts(metrics: Metrics): Counts {
  return {
    received: metrics.counter('swarmq_messages_received_total', 'Messages published to this node, by any door'),
    sent: metrics.counter('swarmq_messages_sent_total', 'PUBLISH packets sent to clients'),
    commits: metrics.counter('swarmq_commits_total', 'Commits sent to the store'),
    committed: metrics.counter('swarmq_committed_messages_total', 'Messages that went through a commit'),
    heldBack: metrics.counter('swarmq_publishers_held_back_total', 'Times that a publisher was not read because commits were behind'),
    packetsReceived: byType(metrics.counters('swarmq_packets_received_total', 'MQTT packets received, by type', 'type')),
    packetsSent: byType(metrics.counters('swarmq_packets_sent_total', 'MQTT packets sent, by type', 'type')),
    bytesReceived: metrics.counter('swarmq_bytes_received_total', 'Bytes of MQTT received'),
    bytesSent: metrics.counter('swarmq_bytes_sent_total', 'Bytes of MQTT sent'),
    publishBytesReceived: metrics.counter('swarmq_payload_bytes_received_total', 'Bytes of payload in PUBLISH packets received'),
    publishBytesSent: metrics.counter('swarmq_payload_bytes_sent_total', 'Bytes of payload in PUBLISH packets sent'),
    accepted: metrics.counter('swarmq_connections_accepted_total', 'Connections that were opened, whatever came of them'),
    lostNudges: metrics.counter('swarmq_nudges_lost_total', 'Frames about queued messages that were not sent because commits were behind; the next one heals it'),
    heldBackLines: metrics.counter('swarmq_log_lines_held_back_total', 'Lines that were not logged, because the same had been said a moment ago'),
    connects: metrics.counter('swarmq_connects_total', 'Connections that were accepted with a CONNACK'),
    takeovers: metrics.counter('swarmq_takeovers_total', 'Sessions that were let go to another connection'),
    cutQueues: metrics.counter('swarmq_queues_cut_total', 'Clients sent away because a failover of the store took back the end of their queue'),
    wills: metrics.counter('swarmq_wills_total', 'Wills that were published'),
    expiredSessions: metrics.counter('swarmq_sessions_expired_total', 'Sessions that ended because their expiry had passed'),
    handshakesFailed: metrics.counters('swarmq_handshakes_failed_total', 'Connections that ended before MQTT began: TLS or WebSocket could not be agreed on', 'kind'),
    expiredRetained: metrics.counter('swarmq_retained_expired_total', 'Retained messages that were removed because their expiry had passed'),
    dropped: metrics.counters('swarmq_messages_dropped_total', 'Messages that a subscriber did not get, by reason', 'reason'),
    closed: metrics.counters('swarmq_connections_closed_total', 'Connections that ended, by reason', 'reason'),
  };
}

/** A counter for each packet type, at its number; the reserved 0 has one that nobody sees. */
function byType(counters: Counters<keyof typeof PacketType>): readonly Counter[] {
  const all: Counter[] = [{ value: 0 }];
  for (const [name, type] of Object.entries(PacketType)) all[type] = counters.of(name as keyof typeof PacketType);
  return all;
}
