import { Message, type Qos } from '../base/message.ts';
import type { QueueLimit } from '../store/queues.ts';

/** A message that waits in memory for the window, under its number. */
export interface Ready {
  readonly seq: number;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly ids: Buffer;
  readonly message: Message;
}

/** The messages of one session that wait in memory, in order, and their bytes. */
export class ReadyList {
  #list: Ready[] = [];
  #from = 0;
  bytes = 0;

  get size(): number {
    return this.#list.length - this.#from;
  }

  get first(): Ready | undefined {
    return this.#list[this.#from];
  }

  push(ready: Ready): void {
    this.#list.push(ready);
    this.bytes += sizeOf(ready.message);
  }

  /** Removes the first one. */
  shift(): void {
    this.bytes -= sizeOf(this.#list[this.#from]!.message);
    this.#from++;
    if (this.#from === this.#list.length) {
      this.#list = [];
      this.#from = 0;
    } else if (this.#from >= 1024) {
      this.#list = this.#list.slice(this.#from);
      this.#from = 0;
    }
  }

  /**
   * The limit that is passed by these messages, `unread` ones behind them, and so much more; null when none is. What is not here
   * is taken to be of the same size. A message that is alone may be of any size.
   */
  passes(limits: { readonly maxMessages: number; readonly maxBytes: number }, unread: number, messages: number, bytes: number): QueueLimit | null {
    const { size } = this;
    const all = size + unread + messages;
    if (all > limits.maxMessages) return 'messages';
    const elsewhere = unread === 0 || size === 0 ? 0 : (this.bytes / size) * unread;
    return all > 1 && this.bytes + elsewhere + bytes > limits.maxBytes ? 'bytes' : null;
  }

  clear(): void {
    this.#list = [];
    this.#from = 0;
    this.bytes = 0;
  }
}

/** Bytes that a waiting message is counted with. */
export function sizeOf({ topic, payload, properties }: Message): number {
  return topic.length + payload.length + properties.length;
}

/** The message with a payload of its own when it is a small part of a large received chunk, which it would keep alive. */
export function ownCopy(message: Message): Message {
  const { payload, properties } = message;
  if (payload.buffer.byteLength <= 2 * payload.length + 1024) return message;
  return new Message(
    message.topic,
    Buffer.from(payload),
    message.qos,
    message.retain,
    Buffer.from(properties),
    message.expiresAt,
    message.publishedAt,
    message.publisher,
  );
}
