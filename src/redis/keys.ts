/**
 * Every Redis key is built here, and nowhere else.
 *
 * The part in braces is the hash tag: all keys of one script share it, so that Redis Cluster keeps them together.
 * Client ids and node ids may hold any character; they go through one encoder, or a client could choose its own slot.
 */
export class Keys {
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** hash: epoch, owner, former owner, expiry, will, sent mark */
  session(client: string): string {
    return `${this.prefix}s:{${encodePart(client)}}`;
  }

  /** hash: filter -> subscription options */
  subscriptions(client: string): string {
    return `${this.prefix}s:{${encodePart(client)}}:subs`;
  }

  /** stream: outgoing QoS 1 and 2 messages, ids `1-<seq>` */
  queue(client: string): string {
    return `${this.prefix}s:{${encodePart(client)}}:q`;
  }

  /** set: packet identifiers of outgoing QoS 2 messages that were received (PUBREC) and await PUBCOMP */
  released(client: string): string {
    return `${this.prefix}s:{${encodePart(client)}}:rel`;
  }

  /** hash: packet identifiers of incoming QoS 2 messages that await PUBREL -> '', or the token of one that is not everywhere yet */
  incoming(client: string): string {
    return `${this.prefix}s:{${encodePart(client)}}:in`;
  }

  /** sorted set: tokens under which something was appended to this stream, by time (s); beside the stream. Redis Cluster only */
  tokens(stream: string): string {
    return `${stream}:once`;
  }

  /** hash, kept for a minute: what an ended session left to tidy up, so that a repeated call gives it again */
  ended(client: string): string {
    return `${this.prefix}s:{${encodePart(client)}}:ended`;
  }

  /** string with PX: the lease of one life of a node: `alive`, or `buried` once another node began to clean up after it */
  lease(incarnation: string): string {
    return `${this.prefix}n:{${encodePart(incarnation)}}`;
  }

  /** stream: messages from other nodes to this life of a node */
  inbox(incarnation: string): string {
    return `${this.prefix}n:{${encodePart(incarnation)}}:inbox`;
  }

  /** set: the client ids that this life of a node serves, or is about to serve */
  served(incarnation: string): string {
    return `${this.prefix}n:{${encodePart(incarnation)}}:served`;
  }

  /** hash: incarnation -> facts about the node (addresses, release, start), for every node that is not buried */
  members(): string {
    return `${this.prefix}members`;
  }

  /** string: counts incarnations */
  incarnations(): string {
    return `${this.prefix}incarnations`;
  }

  /** hash: filter, U+0000, target -> options. The truth that the route log leads to */
  routes(): string {
    return `${this.prefix}{routes}:table`;
  }

  /** stream: every change of the routes, ids `1-<seq>` */
  routeLog(): string {
    return `${this.prefix}{routes}:log`;
  }

  /**
   * Of the retained messages. `messages` hash: topic -> record; `by-topic`, `by-last` sorted sets, all scores 0: the topics in two
   * orders, so that a wildcard walks only where it matches; `due` sorted set: topic by the time (ms) at which it expires; `bytes`
   * string: of all records.
   */
  retained(what: 'messages' | 'by-topic' | 'by-last' | 'due' | 'bytes'): string {
    return `${this.prefix}{retained}:${what}`;
  }

  /** sorted set: client id by the time (ms) at which something is due */
  due(what: 'sessions' | 'wills'): string {
    return `${this.prefix}due:${what}`;
  }

  /** string with PX: who holds a role; its value is `<incarnation> <token>` */
  role(name: string): string {
    return `${this.prefix}role:{${encodePart(name)}}`;
  }

  /** string: counts the tokens of a role, so that each holder gets a higher one */
  roleTokens(name: string): string {
    return `${this.prefix}role:{${encodePart(name)}}:tokens`;
  }

  /** stream: records on their way to Kafka */
  outbox(bridge: string, shard: number): string {
    return `${this.prefix}out:{${encodePart(bridge)}:${shard}}`;
  }

  /** string with PX: who drains an outbox, beside the outbox so that one script sees both */
  outboxRole(bridge: string, shard: number): string {
    return `${this.prefix}out:{${encodePart(bridge)}:${shard}}:leader`;
  }

  /** string: counts the tokens of an outbox's leaders */
  outboxTokens(bridge: string, shard: number): string {
    return `${this.prefix}out:{${encodePart(bridge)}:${shard}}:tokens`;
  }
}

/** Percent-encodes what has a meaning in our keys: braces, colon, percent, control characters. */
export function encodePart(part: string): string {
  return /[{}:%\u0000-\u001f]/.test(part)
    ? part.replace(/[{}:%\u0000-\u001f]/g, (c) => '%' + c.charCodeAt(0).toString(16).padStart(2, '0'))
    : part;
}

/** The opposite of `encodePart`. */
export function decodePart(part: string): string {
  return part.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
