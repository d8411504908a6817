import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openKafkaClient, type KafkaSettings } from '../../src/bridge/client.ts';
import type { KafkaClient } from '../../src/bridge/kafka.ts';
import { Certificates } from '../support/certificates.ts';
import { atEnd } from '../support/ends.ts';
import { openToAll, startKafka, type TestKafka } from '../support/kafka.ts';

const [username, password] = ['bridge', 'correct horse'];

describe('a Kafka that asks for TLS and SASL', function () {
  this.timeout(120_000);
  let certificates: Certificates;
  let kafka: TestKafka;
  before(async () => {
    certificates = new Certificates();
    const [certFile, keyFile, caFile] = ['server.pem', 'server.key', 'authority.pem'].map((file) => certificates.path(file)) as [string, string, string];
    kafka = await startKafka({ security: { certFile, keyFile, caFile, username, password } });
  });
  after(async () => {
    await kafka.stop();
    certificates.remove();
  });

  const tls = (): KafkaSettings['tls'] => ({
    enabled: true,
    caFile: certificates.path('authority.pem'),
    certFile: certificates.path('client.pem'),
    keyFile: certificates.path('client.key'),
  });
  const open = (settings: Pick<KafkaSettings, 'tls' | 'sasl'>): KafkaClient => {
    const common = { clientId: 'test', allowAutoTopicCreation: true, compression: 'none', requestTimeoutMs: 5_000 } as const;
    const client = openKafkaClient({ brokers: [kafka.securedBrokers], ...common, ...settings }, new SystemClock(), silentLog);
    atEnd('Kafka client', () => client.close());
    return client;
  };
  const sasl = (mechanism: KafkaSettings['sasl']['mechanism'], more: Partial<KafkaSettings['sasl']> = {}): KafkaSettings['sasl'] => ({
    ...openToAll.sasl,
    mechanism,
    username,
    password,
    ...more,
  });
  /** Until the topic is there, as the outbound side repeats it. */
  const deliver = async (client: KafkaClient, topic: string): Promise<void> => {
    for (let failed = 0; ; failed++) {
      try {
        await client.connect();
        await client.send([{ topic, key: 'car-7', value: Buffer.from('moved'), headers: {}, timestamp: 1_700_000_000_000 }]);
        return;
      } catch (error) {
        if (failed === 20) throw error;
      }
    }
  };

  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    it(`lets the bridge in by ${mechanism}`, async () => {
      await deliver(open({ tls: tls(), sasl: sasl(mechanism) }), `by-${mechanism}`);
      assert.equal((await kafka.consume(`by-${mechanism}`, { count: 1 }))[0]?.value, 'moved');
    });
  }

  it('lets the bridge in by a token, which is asked for once for many connections', async () => {
    const tokens = await startTokenServer(3600);
    for (const topic of ['by-token-1', 'by-token-1']) {
      const client = open({ tls: tls(), sasl: sasl('oauthbearer', { tokenUrl: tokens.url, tokenScope: 'kafka' }) });
      await deliver(client, topic);
      await client.close();
      await deliver(client, topic);
    }
    assert.equal((await kafka.consume('by-token-1')).length >= 4, true);
    assert.deepEqual(tokens.asked, Array.from({ length: 2 }, () => ({ user: username, secret: 'correct+horse', body: 'grant_type=client_credentials&scope=kafka' })));
  });

  it('is told apart from a token server that refuses, whose word is passed on without the secret', async () => {
    const tokens = await startTokenServer(3600, 401);
    const client = open({ tls: tls(), sasl: sasl('oauthbearer', { tokenUrl: tokens.url }) });
    await assert.rejects(client.connect(), (error: Error) => {
      assert.match(error.message, /gave no token: status 401, invalid_client/);
      assert.doesNotMatch(error.message, /correct/);
      return true;
    });
  });

  it('refuses a wrong password, and the message does not say which', async () => {
    const client = open({ tls: tls(), sasl: sasl('scram-sha-256', { password: 'wrong' }) });
    await assert.rejects(client.connect(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'kafka-failed');
      assert.match(error.message, /[Aa]uthentication/);
      assert.doesNotMatch(error.message, /wrong/);
      return true;
    });
  });

  it('refuses a bridge without a certificate', async () => {
    const client = open({ tls: { ...tls(), certFile: null, keyFile: null }, sasl: sasl('plain') });
    await assert.rejects(client.connect(), { code: 'kafka-failed' });
  });

  it('is not trusted without its authority', async () => {
    const client = open({ tls: { ...tls(), caFile: null }, sasl: sasl('plain') });
    await assert.rejects(client.connect(), { code: 'kafka-failed', message: /certificate/ });
  });

  it('needs files that can be read, which is told at once', () => {
    assert.throws(() => open({ tls: { ...tls(), caFile: certificates.path('nobody.pem') }, sasl: sasl('plain') }), {
      code: 'config-invalid',
      message: /kafka\.tls: cannot read .*nobody\.pem/,
    });
  });
});

interface TokenServer {
  readonly url: string;
  readonly asked: { user: string; secret: string; body: string }[];
}

/** Gives tokens that nobody signed, as Kafka's validator for trials takes them. */
async function startTokenServer(lifeSeconds: number, status = 200): Promise<TokenServer> {
  const asked: TokenServer['asked'] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const [user = '', secret = ''] = Buffer.from(request.headers.authorization?.slice('Basic '.length) ?? '', 'base64').toString().split(':');
      asked.push({ user, secret, body });
      const now = Math.floor(Date.now() / 1000);
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const token = `${part({ alg: 'none' })}.${part({ sub: user, iat: now, exp: now + lifeSeconds })}.`;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(status === 200 ? { access_token: token, token_type: 'Bearer', expires_in: lifeSeconds } : { error: 'invalid_client' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd('token server', () => new Promise<void>((resolve) => {
    server.closeAllConnections();
    server.close(() => {
      resolve();
    });
  }));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, asked };
}
