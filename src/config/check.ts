import { parseRedisUrl, type RedisPlace } from '../base/redis-url.ts';
import { isLoopback } from './listener.ts';
import type { Refuse } from './option.ts';
import type { Config } from './schema.ts';

/** What must hold between options that are each fine by themselves. Looked at only when all of `paths` could be read. */
interface Relation {
  readonly paths: readonly string[];
  readonly check: (config: Config, refuse: Refuse) => void;
}

const relations: readonly Relation[] = [
  {
    paths: ['listeners'],
    check({ listeners }, refuse) {
      if (listeners.length === 0) refuse('listeners', [], 'lets nobody connect: give at least one listener');
      const seen = new Set<string>();
      listeners.forEach(({ url, host, port }, i) => {
        const place = `${host}:${port}`;
        if (port !== 0 && seen.has(place)) {
          refuse(`listeners[${i}].url`, url, 'is listened on by an earlier entry already: remove one of them');
        }
        seen.add(place);
      });
    },
  },
  {
    paths: ['listeners', 'allowAnonymous', 'auth.passwordFile', 'auth.certificateUser'],
    check({ listeners, allowAnonymous, auth }, refuse) {
      if (allowAnonymous || hasAuthentication(auth)) return;
      listeners.forEach(({ url, host }, i) => {
        if (isLoopback(host)) return;
        refuse(`listeners[${i}].url`, url, 'can be reached from other machines while no authentication is configured: listen on 127.0.0.1, '
          + 'give auth.passwordFile (--password-file), or set allowAnonymous (--allow-anonymous) when everyone may read and write every topic');
      });
    },
  },
  {
    paths: ['listeners', 'auth.certificateUser'],
    check({ listeners, auth }, refuse) {
      if (auth.certificateUser === null || listeners.some(({ tls }) => tls?.requestCertificate === true)) return;
      refuse('auth.certificateUser', auth.certificateUser, 'needs a listener that asks for certificates: set its tls.requestCertificate and tls.caFile (--tls-ca)');
    },
  },
  {
    paths: ['auth.clientIds', 'auth.passwordFile', 'auth.certificateUser'],
    check({ auth }, refuse) {
      if (auth.clientIds === null || hasAuthentication(auth)) return;
      refuse('auth.clientIds', auth.clientIds, 'is about users, but nobody has a way to prove who they are: give auth.passwordFile or auth.certificateUser');
    },
  },
  {
    paths: ['redis.url', 'redis.password'],
    check({ redis }, refuse) {
      if (redis.password === null) return;
      const no = (problem: string): void => {
        refuse('redis.password', redis.password, problem);
      };
      if (redis.url === null) no('is given without redis.url: give that too (--redis), or remove it');
      else if (placeOf(redis.url)?.password) no('is given twice: remove it here or from redis.url');
    },
  },
  {
    paths: ['redis.url', 'redis.sentinelPassword'],
    check({ redis }, refuse) {
      if (redis.sentinelPassword === null || placeOf(redis.url)?.kind === 'sentinel') return;
      refuse('redis.sentinelPassword', redis.sentinelPassword, 'is given, but redis.url names no Sentinels: write redis+sentinel://, or remove it');
    },
  },
  {
    paths: ['commit.waitReplicas', 'redis.url'],
    check({ commit, redis }, refuse) {
      if (commit.waitReplicas === 0 || redis.url !== null) return;
      refuse('commit.waitReplicas', commit.waitReplicas, 'waits for replicas of Redis, but redis.url is not given: give it, or 0 here');
    },
  },
  {
    paths: ['bridge.rules'],
    check({ bridge }, refuse) {
      const seen = new Set<string>();
      bridge.rules.forEach(({ name }, i) => {
        if (seen.has(name)) refuse(`bridge.rules[${i}].name`, name, 'is the name of an earlier rule already: choose another');
        seen.add(name);
      });
    },
  },
  {
    paths: ['bridge.rules', 'kafka.brokers'],
    check({ bridge, kafka }, refuse) {
      if (bridge.rules.length > 0 && kafka.brokers.length === 0) {
        refuse('kafka.brokers', [], 'is empty, but bridge.rules need Kafka: give its brokers (--kafka host:port), or remove the rules');
      }
    },
  },
  {
    paths: ['kafka.tls.enabled', 'kafka.tls.caFile', 'kafka.tls.certFile', 'kafka.tls.keyFile'],
    check({ kafka: { tls } }, refuse) {
      const { enabled, caFile, certFile, keyFile } = tls;
      const set = caFile ?? certFile ?? keyFile;
      if (!enabled && set !== null) refuse('kafka.tls.enabled', enabled, 'leaves the files of kafka.tls unused: set it to true, or remove them');
      if (certFile !== null && keyFile === null) refuse('kafka.tls.keyFile', null, 'is not given, but kafka.tls.certFile is: give both, or none');
      if (certFile === null && keyFile !== null) refuse('kafka.tls.certFile', null, 'is not given, but kafka.tls.keyFile is: give both, or none');
    },
  },
  {
    paths: ['kafka.sasl.mechanism', 'kafka.sasl.username', 'kafka.sasl.password', 'kafka.sasl.tokenUrl', 'kafka.sasl.tokenScope'],
    check({ kafka: { sasl } }, refuse) {
      const { mechanism, username, password, tokenUrl, tokenScope } = sasl;
      if (mechanism === 'none') {
        if (username !== null) refuse('kafka.sasl.mechanism', mechanism, 'leaves kafka.sasl.username unused: choose a mechanism, or remove it');
        return;
      }
      if (username === null) refuse('kafka.sasl.username', null, `is not given, but ${mechanism} needs it`);
      if (password === null) refuse('kafka.sasl.password', null, `is not given, but ${mechanism} needs it`);
      if (mechanism === 'oauthbearer' && tokenUrl === null) refuse('kafka.sasl.tokenUrl', null, 'is not given, but oauthbearer needs it');
      if (mechanism !== 'oauthbearer' && (tokenUrl ?? tokenScope) !== null) {
        refuse('kafka.sasl.tokenUrl', tokenUrl, `is for oauthbearer and not for ${mechanism}: remove it and kafka.sasl.tokenScope`);
      }
    },
  },
  {
    paths: ['bridge.rules', 'redis.url'],
    check({ bridge, redis }, refuse) {
      if (bridge.rules.length > 0 && redis.url === null) {
        refuse('redis.url', null, 'is not given, but bridge.rules keep their outbox in Redis: '
          + 'give it (--redis redis://host:6379), or remove the rules');
      }
    },
  },
  {
    paths: ['cluster.leaseMs', 'cluster.renewMs'],
    check({ cluster }, refuse) {
      const most = Math.floor(cluster.leaseMs / 2);
      if (cluster.renewMs <= most) return;
      refuse('cluster.renewMs', cluster.renewMs, `leaves no second try within cluster.leaseMs: give at most ${most}`);
    },
  },
  {
    paths: ['session.maxExpirySeconds', 'session.defaultExpirySeconds'],
    check({ session }, refuse) {
      const { defaultExpirySeconds, maxExpirySeconds } = session;
      if (defaultExpirySeconds <= maxExpirySeconds) return;
      refuse('session.defaultExpirySeconds', defaultExpirySeconds, `is more than session.maxExpirySeconds: give at most ${maxExpirySeconds}`);
    },
  },
];

/** Whether clients have a way to prove who they are. Where there is none, everyone is let in, and only from this machine. */
export function hasAuthentication({ passwordFile, certificateUser }: Config['auth']): boolean {
  return passwordFile !== null || certificateUser !== null;
}

/** Refuses what does not fit together. `isReadable` tells whether the option at a path has a value of its own. */
export function checkRelations(config: Config, isReadable: (path: string) => boolean, refuse: Refuse): void {
  for (const { paths, check } of relations) {
    if (paths.every(isReadable)) check(config, refuse);
  }
}

function placeOf(url: string | null): RedisPlace | null {
  const place = url === null ? null : parseRedisUrl(url);
  return typeof place === 'object' ? place : null;
}
