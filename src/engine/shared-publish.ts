import { expiryLeft, noBytes, type Message } from '../base/message.ts';
import type { ProtocolVersion } from '../codec/packets.ts';
import { publishHeadBytes, utf8Bytes, writePublishHead } from '../codec/publish.ts';

/**
 * A QoS 0 PUBLISH on its way to many: encoded once for each form that occurs (MQTT 3 or 5, retain flag), and shared.
 * Earned: to 1,000 subscribers the encoding would be most of the cost. For one subscriber it is written straight into that
 * connection's output instead (`isWorthIt` false).
 */
export class SharedPublish {
  readonly message: Message;
  readonly isWorthIt: boolean;
  /** Message Expiry Interval has passed; of 0 it passes at once */
  readonly isExpired: boolean;
  readonly #nowMs: number;
  readonly #forms: (Buffer | undefined)[] = [];

  constructor(message: Message, receivers: number, nowMs: number) {
    this.message = message;
    this.isWorthIt = receivers > 1;
    this.isExpired = message.expiresAt !== 0 && message.expiresAt <= nowMs;
    this.#nowMs = nowMs;
  }

  bytes(version: ProtocolVersion, retain: boolean): Buffer {
    const form = (version === 5 ? 2 : 0) + (retain ? 1 : 0);
    return (this.#forms[form] ??= this.#encode(version, retain));
  }

  #encode(version: ProtocolVersion, retain: boolean): Buffer {
    const { topic, payload, properties, expiresAt } = this.message;
    const expirySeconds = expiresAt === 0 ? -1 : expiryLeft(this.message, this.#nowMs);
    const topicBytes = utf8Bytes(topic);
    const head = publishHeadBytes(topicBytes, payload.length, properties.length, 0, version, expirySeconds, noBytes, 0);
    const bytes = Buffer.allocUnsafe(head + payload.length);
    const end = writePublishHead(bytes, 0, topic, topicBytes, payload.length, properties, 0, retain, false, 0, version, expirySeconds, noBytes, 0);
    payload.copy(bytes, end);
    return bytes;
  }
}
