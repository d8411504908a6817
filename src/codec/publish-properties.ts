import { BrokerError } from '../base/errors.ts';
import { byteAt, u16At, u32At, varintAt, varintBytes } from './bytes.ts';
import { malformed, protocolError } from './packets.ts';
import { propertyId } from './properties.ts';
import type { IncomingPublish } from './publish.ts';
import { checkText } from './text.ts';

/**
 * Reads the properties of a client's PUBLISH; gives the offset after them.
 *
 * Written out by hand, beside the property table, because it runs for every message: it makes no value of a property
 * that only travels on. Topic alias and message expiry belong to one hop and are cut out. They mostly stand at an
 * edge, so that the rest is one run and stays a view; only when they split it are the runs (at most three) joined.
 */
export function readPublishProperties(buffer: Buffer, at: number, end: number, into: IncomingPublish): number {
  const length = varintAt(buffer, at, end);
  if (length < 0) throw malformed('PUBLISH', 'property length is cut off or not in its shortest form');
  at += varintBytes(length);
  const stop = at + length;
  if (stop > end) throw malformed('PUBLISH', 'properties are cut off');

  let seen = 0;
  let runStart = at;
  let runEnd = at;
  while (at < stop) {
    const id = byteAt(buffer, at);
    const next = propertyEnd(buffer, at + 1, stop, id);
    if (id === propertyId.topicAlias) {
      if (into.topicAlias !== 0) throw twice('topic alias');
      into.topicAlias = u16At(buffer, at + 1);
      if (into.topicAlias === 0)
        throw new BrokerError('topic-alias-invalid', 'PUBLISH: topic alias is 0 [MQTT-3.3.2-8]');
    } else if (id === propertyId.expirySeconds) {
      if (into.expirySeconds >= 0) throw twice('message expiry');
      into.expirySeconds = u32At(buffer, at + 1);
    } else {
      if (id !== propertyId.userProperties) {
        if ((seen & (1 << id)) !== 0) throw twice(`property ${id}`);
        seen |= 1 << id; // the identifiers that come here are below 32
        if (id === propertyId.payloadFormat) into.payloadFormat = byteAt(buffer, at + 1);
      }
      if (runEnd !== at) {
        into.properties = joined(into.properties, buffer, runStart, runEnd);
        runStart = at;
      }
      runEnd = next;
    }
    at = next;
  }
  into.properties = joined(into.properties, buffer, runStart, runEnd);
  return stop;
}

/** Checks the value of one property and gives the offset after it. */
function propertyEnd(buffer: Buffer, at: number, stop: number, id: number): number {
  let next: number;
  switch (id) {
    case propertyId.userProperties:
      next = textEnd(buffer, at, stop, 'user property name');
      return textEnd(buffer, next, stop, 'user property value');
    case propertyId.payloadFormat:
      next = fixedEnd(at + 1, stop, 'payload format indicator');
      if (byteAt(buffer, at) > 1) {
        throw protocolError('PUBLISH', 'payload format indicator is neither 0 nor 1 [MQTT 5, 3.3.2.3.2]');
      }
      return next;
    case propertyId.topicAlias:
      return fixedEnd(at + 2, stop, 'topic alias');
    case propertyId.expirySeconds:
      return fixedEnd(at + 4, stop, 'message expiry');
    case propertyId.contentType:
      return textEnd(buffer, at, stop, 'content type');
    case propertyId.responseTopic:
      next = textEnd(buffer, at, stop, 'response topic');
      if (!isTopicNameAt(buffer, at + 2, next)) {
        throw protocolError('PUBLISH', 'response topic is empty or holds a wildcard [MQTT-3.3.2-14]');
      }
      return next;
    case propertyId.correlationData:
      return bytesEnd(buffer, at, stop, 'correlation data');
    case propertyId.subscriptionId:
      throw protocolError('PUBLISH', 'a client must not send a subscription identifier [MQTT-3.3.4-6]');
    default:
      throw malformed('PUBLISH', `property ${id} does not belong here [MQTT 5, 2.2.2.2]`);
  }
}

function fixedEnd(next: number, stop: number, field: string): number {
  if (next > stop) throw malformed('PUBLISH', `${field} is cut off`);
  return next;
}

function bytesEnd(buffer: Buffer, at: number, stop: number, field: string): number {
  fixedEnd(at + 2, stop, field);
  return fixedEnd(at + 2 + u16At(buffer, at), stop, field);
}

function textEnd(buffer: Buffer, at: number, stop: number, field: string): number {
  const next = bytesEnd(buffer, at, stop, field);
  checkText(buffer, at + 2, next, 'PUBLISH', field);
  return next;
}

function isTopicNameAt(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = byteAt(buffer, i);
    if (byte === 0x2b || byte === 0x23) return false;
  }
  return end > start;
}

function twice(field: string): BrokerError {
  return protocolError('PUBLISH', `${field} stands twice [MQTT 5, 3.3.2.3]`);
}

function joined(earlier: Buffer, buffer: Buffer, start: number, end: number): Buffer {
  if (start === end) return earlier;
  const run = buffer.subarray(start, end);
  return earlier.length === 0 ? run : Buffer.concat([earlier, run]);
}
