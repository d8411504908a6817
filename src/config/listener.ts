import { integer, optionalText, text, toggle, type Refuse, type Values } from './option.ts';

export type Scheme = 'mqtt' | 'mqtts' | 'ws' | 'wss';

const defaultPorts: Readonly<Record<Scheme, number>> = { mqtt: 1883, mqtts: 8883, ws: 8083, wss: 8084 };

/** One address that a node listens on. */
export interface Listener {
  /** As written, with the default port and path filled in. */
  readonly url: string;
  readonly scheme: Scheme;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Of WebSocket listeners, `/mqtt` by default; empty otherwise. */
  readonly path: string;
  readonly tls: ListenerTls | null;
  /** 0: only the node's own limit counts. */
  readonly maxConnections: number;
  /** In a worker of `swarmq cluster`: this port is the worker's own and not shared with the others. */
  readonly exclusive: boolean;
}

export interface ListenerTls {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string | null;
  readonly requestCertificate: boolean;
}

export const listenerOptions = {
  url: text({
    default: '',
    text: 'Where to listen: `mqtt://`, `mqtts://`, `ws://` or `wss://`, host, port. Ports when not given: 1883, 8883, 8083, 8084. '
      + 'WebSocket listeners may name a path; it is `/mqtt` otherwise.',
    check: (url) => {
      const parsed = parseListenerUrl(url);
      return 'problem' in parsed ? parsed.problem : null;
    },
  }),
  tls: {
    certFile: optionalText({ text: 'The certificate chain, PEM. Needed by `mqtts` and `wss`.' }),
    keyFile: optionalText({ text: 'The private key, PEM. Needed by `mqtts` and `wss`.' }),
    caFile: optionalText({ text: 'The authorities that client certificates are checked against, PEM.' }),
    requestCertificate: toggle({ default: false, text: 'Ask clients for a certificate and refuse those without a valid one.' }),
  },
  maxConnections: integer({
    default: 0,
    min: 0,
    unit: 'connections',
    text: 'Most connections of this listener. 0: only `mqtt.maxConnections` counts.',
  }),
} as const;

/** Finishes one entry of `listeners`. The URL was checked before; an invalid one gives a stand-in that is never used. */
export function makeListener(values: Values<typeof listenerOptions>, refuse: Refuse): Listener {
  const parsed = parseListenerUrl(values.url);
  const place = 'problem' in parsed ? { url: values.url, scheme: 'mqtt' as const, host: '', port: 0, path: '' } : parsed;
  return {
    ...place,
    tls: makeTls(place.scheme, values.tls, refuse),
    maxConnections: values.maxConnections,
    exclusive: false,
  };
}

function makeTls(scheme: Scheme, tls: Values<typeof listenerOptions>['tls'], refuse: Refuse): ListenerTls | null {
  const { certFile, keyFile, caFile, requestCertificate } = tls;
  if (scheme === 'mqtt' || scheme === 'ws') {
    const set = certFile ?? keyFile ?? caFile;
    if (set !== null) refuse('tls', set, `a ${scheme}:// listener does not encrypt: use ${scheme}s://, or remove tls`);
    return null;
  }
  if (certFile === null) refuse('tls.certFile', null, `a ${scheme}:// listener needs a certificate: give tls.certFile or --tls-cert`);
  if (keyFile === null) refuse('tls.keyFile', null, `a ${scheme}:// listener needs a private key: give tls.keyFile or --tls-key`);
  if (requestCertificate && caFile === null) {
    refuse('tls.caFile', null, 'client certificates need authorities to be checked against: give tls.caFile or --tls-ca');
  }
  return { certFile: certFile ?? '', keyFile: keyFile ?? '', caFile, requestCertificate };
}

type Place = Pick<Listener, 'url' | 'scheme' | 'host' | 'port' | 'path'>;

/** A listener's URL taken apart, or what is wrong with it. */
export function parseListenerUrl(url: string): Place | { readonly problem: string } {
  const match = /^([a-z]+):\/\/(\[[0-9a-f:.%]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?(\/[^\s?#]*)?$/i.exec(url);
  const scheme = match?.[1]?.toLowerCase();
  if (match === null || !isScheme(scheme)) {
    return { problem: 'is no listener URL: write scheme://host:port with mqtt, mqtts, ws or wss, for example mqtt://127.0.0.1:1883' };
  }
  const host = (match[2] ?? '').replace(/^\[|\]$/g, '');
  const port = match[3] === undefined ? defaultPorts[scheme] : Number(match[3]);
  if (port > 65_535) return { problem: 'has no such port: use 1 to 65535, or 0 for any free one' };
  const given = match[4] === '/' ? '' : (match[4] ?? '');
  const isWeb = scheme === 'ws' || scheme === 'wss';
  if (!isWeb && given !== '') return { problem: `has a path, which only ws:// and wss:// have: remove ${given}` };
  const path = isWeb ? given || '/mqtt' : '';
  return { url: listenerUrl(scheme, host, port, path), scheme, host, port, path };
}

export function listenerUrl(scheme: Scheme, host: string, port: number, path: string): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}

/** Whether only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i.test(host);
}

function isScheme(text: string | undefined): text is Scheme {
  return text !== undefined && Object.hasOwn(defaultPorts, text);
}
