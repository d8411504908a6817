import { parseRedisUrl } from '../base/redis-url.ts';
import type { Address } from './option.ts';

/** `host:port` or `[IPv6]:port` taken apart; null when it is neither. Port 0 means any free one. */
export function parseAddress(text: string): Address | null {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/i.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  return port > 65_535 ? null : { host: match[1] ?? match[2] ?? '', port };
}

export function checkHostPort(text: string): string | null {
  const address = parseAddress(text);
  return address === null || address.port === 0 ? 'is no address: write host:port, for example 127.0.0.1:9092' : null;
}

export function checkRedisUrl(text: string): string | null {
  const place = parseRedisUrl(text);
  return typeof place === 'string' ? place : null;
}

/** Names of servers as MQTT 5 gives them to clients [MQTT 5, 4.11]: `host` or `host:port`, with blanks between. */
export function checkServerReference(text: string): string | null {
  const isServer = (part: string): boolean => parseAddress(part) !== null || parseAddress(`${part}:0`) !== null;
  return text.split(' ').every(isServer) ? null : 'names no server: write host or host:port, for example mqtt-2.example.com:8883, several with a blank between';
}

export function checkTokenUrl(text: string): string | null {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? null : 'is no URL of a token server: write https://host/path';
}
