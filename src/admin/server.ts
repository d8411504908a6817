import fastify, { type FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { BrokerError, asBrokerError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { reasons } from '../base/reasons.ts';
import { questions, type Health } from './health.ts';

export interface AdminOptions {
  readonly host: string;
  /** 0 takes any free port */
  readonly port: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
}

export interface Admin {
  /** where it listens, as `http://host:port` */
  readonly address: string;
  /** Stops listening and cuts the connections that are left. */
  close(): Promise<void>;
}

/** Probes and scrapes are small and quick; whoever is not, is cut off long before it costs the node anything. */
const limits = {
  maxBodyBytes: 1024,
  maxHeaderBytes: 8192,
  maxConnections: 256,
  /** for a whole request to come in */
  requestMs: 5_000,
  /** for a connection on which nothing moves, within an answer */
  stalledMs: 10_000,
  /** longer than the usual scrape interval, so that a scraper keeps its connection */
  idleMs: 75_000,
  /** how often the runtime looks for requests that take too long */
  lookMs: 1_000,
};

const paths = [...questions.map((question) => `/health/${question}`), '/metrics'];

/**
 * Opens the door for those who operate the node: three health questions and the Prometheus page, read only.
 *
 * Rejects with `config-invalid` when it cannot listen there.
 */
export async function openAdmin(options: AdminOptions): Promise<Admin> {
  const { host, port, log } = options;
  const server = build(options);
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    const why = error instanceof Error ? error.message : String(error);
    throw new BrokerError('config-invalid', `admin: cannot listen on ${host}:${port} (${why}); choose another address`, error);
  }
  const address = addressOf(server.server.address() as AddressInfo);
  log.info({ address }, 'admin listens');
  return { address, close: () => server.close() };
}

function build({ log, metrics, health }: AdminOptions): FastifyInstance {
  const requests = metrics.counters('swarmq_admin_requests_total', 'Answers given on the admin port', 'status');
  const server = fastify({
    logger: false,
    bodyLimit: limits.maxBodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.stalledMs,
    keepAliveTimeout: limits.idleMs,
    forceCloseConnections: true,
    http: { maxHeaderSize: limits.maxHeaderBytes, connectionsCheckingInterval: limits.lookMs },
  });
  server.server.maxConnections = limits.maxConnections;

  // before the body is read: this door has nothing to be told
  server.addHook('onRequest', async (request, reply) => {
    if (request.method === 'GET' || request.method === 'HEAD') return;
    await reply.code(405).headers({ allow: 'GET, HEAD', connection: 'close' }).send({ error: 'read only: use GET or HEAD' });
  });
  server.addHook('onResponse', async (_request, reply) => {
    requests.of(String(reply.statusCode)).value++;
  });

  for (const question of questions) {
    server.get(`/health/${question}`, (_request, reply) => {
      const report = health.report(question);
      return reply
        .code(report.status === 'ok' ? 200 : 503)
        .header('cache-control', 'no-store')
        .send(report);
    });
  }
  server.get('/metrics', async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.page()));

  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found', paths }));
  server.setErrorHandler((error, request, reply) => {
    const { code, message } = asBrokerError(error);
    log.error({ code, path: request.url, reason: message }, 'admin request failed');
    return reply.code(reasons[code].http).send({ error: code });
  });
  return server;
}

function addressOf({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
