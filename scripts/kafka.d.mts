export interface Kafka {
  /** `host:port`, as clients want it. */
  readonly brokers: string;
  readonly port: number;
  readonly pid: number;
  /** Settles once the process has ended. */
  readonly exited: Promise<void>;
  /** An orderly end. */
  stop(): Promise<void>;
  /** A crash: SIGKILL. */
  kill(): Promise<void>;
}

/**
 * Starts Kafka and resolves once it answers a metadata request. A folder used before goes on with its topics.
 * Without `port` and `dir` they are chosen, and the folder is removed when Kafka has ended.
 * Its log goes to `logFile`, or else to kafka.log in the folder. `detached` keeps the signals of the terminal from it,
 * so that the caller decides what ends when.
 */
export function startKafka(options?: { port?: number; dir?: string; logFile?: string; detached?: boolean }): Promise<Kafka>;
