import type { Message } from '../base/message.ts';
import type { OutboxRef } from '../store/outboxes.ts';
import type { Connection } from './connection.ts';
import type { Engine } from './engine.ts';
import { publish, type Origin } from './publish.ts';

interface Parked {
  readonly connection: Connection;
  readonly message: Message;
  readonly origin: Origin;
}

/**
 * What happens when an outbox toward Kafka is full. With the policy `block` a QoS 1 or 2 message that belongs there is parked,
 * unacknowledged, and its publisher is not read any more: at most one message for each publisher waits here. QoS 0 is
 * dropped from the bridge and counted. The length is what the last commit, or the bridge's own look, found.
 */
export class OutboxGate {
  readonly #engine: Engine;
  readonly #full = new Set<OutboxRef>();
  #parked: Parked[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  note(outbox: OutboxRef, length: number): void {
    if (length >= this.#engine.config.bridge.outbox.maxRecords) this.#full.add(outbox);
    else this.#full.delete(outbox);
  }

  /** Whether a message goes into the outbox; when not, it is counted as dropped there. */
  admits(outbox: OutboxRef, message: Message): boolean {
    if (!this.#full.has(outbox)) return true;
    const { whenFull } = this.#engine.config.bridge.outbox;
    if (whenFull === 'drop-oldest' || (whenFull === 'block' && message.qos > 0)) return true;
    this.#engine.count.dropped.of('outbox-full').value++;
    return false;
  }

  /** Whether the message has to wait for room in an outbox. */
  blocks(message: Message): boolean {
    if (this.#full.size === 0 || this.#engine.config.bridge.outbox.whenFull !== 'block') return false;
    return this.#engine.routes.match(message.topic).bridges.some((bridge) => this.#full.has(bridge.outbox));
  }

  park(connection: Connection, message: Message, origin: Origin): void {
    this.#parked.push({ connection, message, origin });
    connection.holdBack();
  }

  /** Once a second: those for whom there is room again go on. */
  tick(): void {
    if (this.#parked.length === 0) return;
    const parked = this.#parked;
    this.#parked = [];
    for (const one of parked) {
      if (one.connection.state === 'closed') continue;
      if (this.blocks(one.message)) {
        this.#parked.push(one);
      } else {
        publish(this.#engine, one.message, one.origin);
        one.connection.letGo();
      }
    }
  }
}
