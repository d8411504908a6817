export interface Kafka {
  /** `host:port`, as clients want it. */
  readonly brokers: string;
  /** Of the listener that asks for TLS and SASL; empty without one. */
  readonly securedBrokers: string;
  readonly port: number;
  readonly pid: number;
  /** Settles once the process has ended. */
  readonly exited: Promise<void>;
  /** An orderly end. */
  stop(): Promise<void>;
  /** A crash: SIGKILL. */
  kill(): Promise<void>;
}

/** Whom a listener lets in that asks for TLS, a client certificate of this authority, and SASL (PLAIN, SCRAM, OAUTHBEARER). */
export interface KafkaSecurity {
  /** PEM files of the server, and of the authority for both sides. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly username: string;
  readonly password: string;
}

/**
 * Starts Kafka and resolves once it answers a metadata request. A folder used before goes on with its topics.
 * Without `port` and `dir` they are chosen, and the folder is removed when Kafka has ended.
 * Its log goes to `logFile`, or else to kafka.log in the folder. `detached` keeps the signals of the terminal from it,
 * so that the caller decides what ends when. With `security` a second listener asks for TLS, a client certificate and SASL.
 */
export function startKafka(options?: { port?: number; dir?: string; logFile?: string; detached?: boolean; security?: KafkaSecurity }): Promise<Kafka>;
