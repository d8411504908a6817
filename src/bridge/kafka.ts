/** One record on its way to Kafka. */
export interface KafkaRecord {
  readonly topic: string;
  /** Records of one key go to one partition and keep their order. */
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string | Buffer | string[]>>;
  /** ms since 1970 */
  readonly timestamp: number;
}

/**
 * Kafka, as the bridge needs it. One batch is on its way at a time.
 *
 * A `send` that rejects leaves no connection behind: whatever state it was in is given up, and `connect` makes a new one.
 */
export interface KafkaClient {
  /** Resolves when Kafka can be sent to, at once when it could before. Rejects with `kafka-failed` after a bounded time. */
  connect(): Promise<void>;

  /**
   * Sends the records of one batch, and resolves when every one of them is on all in-sync replicas.
   *
   * Rejects with an error of kind `refused` when Kafka will never take this batch (a record is too large, a topic name is
   * none), and with `kafka-failed` when it may take it another time. Either way some records may have been written:
   * sending the same batch again, as a whole, keeps the order in which the records of a key appear for the first time.
   */
  send(batch: readonly KafkaRecord[]): Promise<void>;

  /** Cuts the connection. A `connect` or `send` under way rejects. Never rejects, and takes a second at most, whatever Kafka does. */
  close(): Promise<void>;
}
