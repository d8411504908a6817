import { isUtf8 } from 'node:buffer';
import { BrokerError } from '../base/errors.ts';
import { byteAt } from './bytes.ts';

/**
 * UTF-8 Encoded Strings [MQTT 5, 1.5.4]: ill-formed sequences, surrogates [MQTT-1.5.4-1] and U+0000 [MQTT-1.5.4-2] are
 * refused; a byte order mark is U+FEFF and stays [MQTT-1.5.4-3]; non-characters are allowed.
 *
 * Nearly all text of MQTT is ASCII, which one loop over the bytes both proves and reads as Latin-1; the rest goes to
 * the runtime's validator. The loop stands three times, because a call per byte or a second pass is felt per message.
 */

/** The string in these bytes; null when they are none. */
export function textAt(buffer: Buffer, start: number, end: number): string | null {
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = byteAt(buffer, i);
    if (byte === 0) return null;
    all |= byte;
  }
  return decode(buffer, start, end, all);
}

/** The string in these bytes; `invalid-utf8` when they are none. */
export function readText(buffer: Buffer, start: number, end: number, packet: string, field: string): string {
  const text = textAt(buffer, start, end);
  if (text === null) throw invalidText(packet, field);
  return text;
}

/** Refuses bytes that are no string (`invalid-utf8`) without making the string. */
export function checkText(buffer: Buffer, start: number, end: number, packet: string, field: string): void {
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = byteAt(buffer, i);
    if (byte === 0) throw invalidText(packet, field);
    all |= byte;
  }
  if (all >= 0x80 && !isUtf8(buffer.subarray(start, end))) throw invalidText(packet, field);
}

/** The topic name of a PUBLISH: text without wildcards, `topic-name-invalid` otherwise. [MQTT-3.3.2-2] */
export function readTopicName(buffer: Buffer, start: number, end: number): string {
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = byteAt(buffer, i);
    if (byte === 0) throw invalidText('PUBLISH', 'topic name');
    // in UTF-8 a byte below 0x80 is a character of its own, so a wildcard shows before the text is decoded
    if (byte === 0x2b || byte === 0x23) {
      throw new BrokerError('topic-name-invalid', 'PUBLISH: topic name holds a wildcard [MQTT-3.3.2-2]');
    }
    all |= byte;
  }
  const text = decode(buffer, start, end, all);
  if (text === null) throw invalidText('PUBLISH', 'topic name');
  return text;
}

function decode(buffer: Buffer, start: number, end: number, all: number): string | null {
  if (all < 0x80) return buffer.toString('latin1', start, end);
  return isUtf8(buffer.subarray(start, end)) ? buffer.toString('utf8', start, end) : null;
}

function invalidText(packet: string, field: string): BrokerError {
  return new BrokerError('invalid-utf8', `${packet}: ${field} is not well-formed UTF-8 without U+0000 [MQTT-1.5.4-1]`);
}

/** The length in UTF-8 bytes. */
export function utf8Bytes(text: string): number {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) >= 0x80) return Buffer.byteLength(text);
  }
  return text.length;
}

/** Writes `text`, known to be `bytes` long in UTF-8; gives the offset after it. */
export function putText(target: Buffer, at: number, text: string, bytes: number): number {
  target.write(text, at, bytes === text.length ? 'latin1' : 'utf8');
  return at + bytes;
}
