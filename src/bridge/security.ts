import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import type { Clock } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';
import { TokenSource } from './token-source.ts';

export interface KafkaTls {
  readonly enabled: boolean;
  /** PEM files; null: none of its own, and the authorities that Node.js knows */
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

export interface KafkaSasl {
  readonly mechanism: 'none' | 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer';
  readonly username: string | null;
  readonly password: string | null;
  readonly tokenUrl: string | null;
  readonly tokenScope: string | null;
}

/**
 * What a TLS connection to Kafka needs, or null where none is wanted. The files are read each time, so that renewed
 * certificates are used without a restart. Throws `config-invalid` naming the file that cannot be read.
 */
export function tlsOptions({ enabled, caFile, certFile, keyFile }: KafkaTls): ConnectionOptions | null {
  if (!enabled) return null;
  return {
    minVersion: 'TLSv1.2',
    ...(caFile === null ? {} : { ca: readPem(caFile) }),
    ...(certFile === null ? {} : { cert: readPem(certFile) }),
    ...(keyFile === null ? {} : { key: readPem(keyFile) }),
  };
}

/** How a connection proves who it is, or undefined where it does not have to. */
export function saslOptions(sasl: KafkaSasl, clock: Clock): SASLOptions | undefined {
  const { mechanism, tokenUrl, tokenScope } = sasl;
  if (mechanism === 'none') return undefined;
  const username = sasl.username ?? '';
  const password = sasl.password ?? '';
  switch (mechanism) {
    case 'plain':
      return { mechanism: 'plain', username, password };
    case 'scram-sha-256':
      return { mechanism: 'scram-sha-256', username, password };
    case 'scram-sha-512':
      return { mechanism: 'scram-sha-512', username, password };
    case 'oauthbearer': {
      const tokens = new TokenSource({ url: tokenUrl ?? '', clientId: username, clientSecret: password, scope: tokenScope }, clock);
      return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await tokens.get() }) };
    }
  }
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new BrokerError('config-invalid', `kafka.tls: cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}
