import { Socket, connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { backoffMs } from '../base/backoff.ts';
import type { Logger } from '../base/log.ts';
import { withoutPassword, type RedisHost, type RedisPlace } from '../base/redis-url.ts';

/** Where a connection goes. Asked at each attempt: a failover or a move of slots changes it. */
export type Locate = () => RedisHost | Promise<RedisHost>;

export interface ConnectionSettings {
  readonly url: string;
  readonly place: RedisPlace;
  readonly connectTimeoutMs: number;
  readonly log: Logger;
}

const reconnect = { firstMs: 20, mostMs: 1000 };

/**
 * A connection to a primary, made anew by itself whenever it breaks, to wherever the primary is then. A server that turns
 * out to be a replica is not used: what it would tell is old, and what it is told it refuses.
 */
export function openConnection(settings: ConnectionSettings, locate: Locate, extra: RedisOptions): Redis {
  const { place, url, log } = settings;
  const redis: Redis = new Redis({
    ...credentials(place),
    db: place.database,
    Connector: connectorTo(locate, place.tls, (host) => {
      redis.emit('error', new Error(`${host.host}:${host.port} is a replica and not a primary`));
    }),
    connectTimeout: settings.connectTimeoutMs,
    keepAlive: 5000,
    noDelay: true,
    // What was sent and not answered is rejected when the connection ends; whoever sent it knows whether to repeat it.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    retryStrategy: (times) => backoffMs(reconnect, times),
    ...extra,
  });
  let told = false;
  redis.on('error', (error: Error) => {
    if (!told) log.warn({ redis: withoutPassword(url), error: error.message }, 'Redis is away: waiting for it');
    told = true;
  });
  redis.on('ready', () => {
    if (told) log.info('Redis is back');
    told = false;
  });
  return redis;
}

/** Ends a connection that is up, so that it is made anew. One that is on its way is left alone. */
export function renew(redis: Redis): void {
  if (redis.status === 'ready' || redis.status === 'connect') redis.disconnect(true);
}

/** `host:port` of the server that a connection speaks to; empty while it speaks to none. */
export function addressOf(redis: Redis): string {
  const { connector } = redis as unknown as { connector?: { at?: string } };
  return redis.status === 'ready' ? (connector?.at ?? '') : '';
}

export function credentials({ user, password, tls }: RedisPlace): RedisOptions {
  return { ...(user ? { username: user } : {}), ...(password ? { password } : {}), ...(tls ? { tls: {} } : {}) };
}

/** The door through which the client library connects. Whatever fails here fails like a broken connection: it is tried again. */
function connectorTo(locate: Locate, tls: boolean, onReplica: (host: RedisHost) => void): new () => AbstractConnector {
  return class extends AbstractConnector {
    #host: RedisHost = { host: '', port: 0 };

    constructor() {
      super(2000);
    }

    get at(): string {
      return `${this.#host.host}:${this.#host.port}`;
    }

    override check(info: { readonly role?: string }): boolean {
      // a user who may not ask is told nothing
      if (info.role === undefined || info.role === 'master') return true;
      onReplica(this.#host);
      return false;
    }

    async connect(): Promise<Socket> {
      this.connecting = true;
      let stream: Socket;
      try {
        this.#host = await locate();
        stream = this.connecting ? open(this.#host, tls) : new Socket().destroy();
      } catch (error) {
        stream = new Socket().destroy(error instanceof Error ? error : new Error(String(error)));
      }
      stream.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }
  };
}

function open({ host, port }: RedisHost, tls: boolean): Socket {
  return tls ? connectTls({ host, port, servername: /[a-z]/i.test(host) && !host.includes(':') ? host : undefined }) : connectTcp({ host, port });
}
