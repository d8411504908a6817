import { checkHostPort, checkTokenUrl } from './endpoint.ts';
import { choice, integer, list, optionalText, text, toggle } from './option.ts';

/** How the bridge reaches Kafka, and how the two know each other. */
export const kafkaOptions = {
  brokers: list({
    default: [],
    flag: '--kafka <host:port,...>',
    text: 'The Kafka brokers to ask first, `host:port` each.',
    check: checkHostPort,
  }),
  clientId: text({ default: 'swarmq', text: 'The name under which Kafka sees the bridge.' }),
  allowAutoTopicCreation: toggle({
    default: true,
    text: 'Let Kafka make topics that do not exist yet; it does when its own `auto.create.topics.enable` says so too. '
      + 'Without it, records of a missing topic wait in the outbox, and all others behind them.',
  }),
  compression: choice(['none', 'gzip'], { default: 'none', text: 'How the batches are compressed that go to Kafka.' }),
  requestTimeoutMs: integer({
    default: 30_000,
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    text: 'How long Kafka may take to answer a request before the connection is given up and the batch is sent again.',
  }),
  tls: {
    enabled: toggle({ default: false, text: 'Encrypt the connections to Kafka, and check who answers.' }),
    caFile: optionalText({ text: 'The authorities that Kafka\'s certificates are checked against, PEM. Absent: those that Node.js knows.' }),
    certFile: optionalText({ text: 'The bridge\'s own certificate chain, PEM, where Kafka asks for one. Read again for each new connection.' }),
    keyFile: optionalText({ text: 'The private key to it, PEM.' }),
  },
  sasl: {
    mechanism: choice(['none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'], {
      default: 'none',
      text: 'How the bridge proves to Kafka who it is. `plain` and `oauthbearer` show a secret to whoever can read the connection: use them with `kafka.tls`.',
    }),
    username: optionalText({ text: 'The name that the bridge goes by; with `oauthbearer` its client id at the token server.' }),
    password: optionalText({ secret: true, text: 'The password to it; with `oauthbearer` its client secret.' }),
    tokenUrl: optionalText({
      text: 'Where `oauthbearer` gets its tokens, by the client credentials grant of OAuth 2.0. They are asked for anew before they end.',
      check: checkTokenUrl,
    }),
    tokenScope: optionalText({ text: 'The scope that is asked for there, where the token server wants one.' }),
  },
} as const;
