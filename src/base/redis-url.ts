/** Where Redis is: what `redis.url` says, taken apart. */
export interface RedisPlace {
  /** one server; a primary that Sentinel names; a Redis Cluster */
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** the server, or some of the Sentinels or cluster nodes: the others are learned from them */
  readonly hosts: readonly RedisHost[];
  /** the name of the primary as Sentinel knows it; empty otherwise */
  readonly primary: string;
  readonly database: number;
  readonly user: string;
  readonly password: string;
  readonly tls: boolean;
}

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

const advice = 'is no Redis URL: write redis://host:6379, redis+sentinel://host:26379,host:26379/name or redis+cluster://host:6379,host:6379; '
  + 'rediss for TLS, user:password@ before the hosts when needed';

const form = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^?#]*))?$/;

/** The place, or what is wrong with the URL. */
export function parseRedisUrl(text: string): RedisPlace | string {
  const found = form.exec(text);
  if (found === null) return advice;
  const [, scheme, kind = 'single', credentials = '', hostList = '', path = ''] = found;
  const hosts = hostList.split(',').map((host) => parseHost(host, kind === 'sentinel' ? 26_379 : 6_379));
  if (!hosts.every((host) => host !== null)) return advice;
  const colon = credentials.indexOf(':');
  const [user, password] = colon < 0 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
  if (!isEncoded(user) || !isEncoded(password)) return 'has a user or password with a bare %: write %25 for it';
  const place = { hosts, user: decodeURIComponent(user), password: decodeURIComponent(password), tls: scheme === 'rediss' };
  switch (kind) {
    case 'sentinel': {
      const [primary = '', database = ''] = path.split('/', 2);
      if (primary === '') return 'names no primary: write its name as Sentinel knows it after the hosts, for example /mymaster';
      return /^[^/]+(\/\d*)?$/.test(path) ? { ...place, kind, primary: decodeURIComponent(primary), database: Number(database) } : noDatabase;
    }
    case 'cluster':
      return path === '' ? { ...place, kind, primary: '', database: 0 } : 'names a database, but a Redis Cluster has only one: end the URL after the hosts';
    default:
      if (hosts.length > 1) return 'names several hosts: write redis+sentinel:// or redis+cluster:// when that is what they are';
      return /^\d*$/.test(path) ? { ...place, kind: 'single', primary: '', database: Number(path) } : noDatabase;
  }
}

const noDatabase = 'names no database: after the port there may only be its number, for example /0';

/** The URL with this password in it. Whatever stands there must be a Redis URL. */
export function withPassword(url: string, password: string): string {
  return url.replace(/:\/\/(?:([^@/:]*)(?::[^@/]*)?@)?/, (_, user = '') => `://${String(user)}:${encodeURIComponent(password)}@`);
}

/** The URL as it may be logged. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}

function parseHost(text: string, defaultPort: number): RedisHost | null {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^\s:@[\]]+))(?::(\d{1,5}))?$/i.exec(text);
  if (match === null) return null;
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  return port === 0 || port > 65_535 ? null : { host: match[1] ?? match[2] ?? '', port };
}

function isEncoded(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text);
}
