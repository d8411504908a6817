import { isUtf8 } from 'node:buffer';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import { hasWildcard } from '../base/topic.ts';
import type { ConnackProperties, Will } from '../codec/connect.ts';
import type { Subscribe } from '../codec/subscribe.ts';
import type { Config } from '../config/schema.ts';

type Mqtt = Config['mqtt'];

/**
 * What of MQTT this server offers, as configured [MQTT 5, 3.2.2.3]. A client of MQTT 5 is told in CONNACK and is disconnected
 * when it goes beyond; one of MQTT 3, which cannot be told, is closed, and its subscriptions are refused.
 */
export function offered({ maximumQos, retainAvailable, wildcardsAvailable, sharedAvailable, subscriptionIdsAvailable }: Mqtt): ConnackProperties {
  return {
    ...(maximumQos < 2 ? { maximumQos: maximumQos === 0 ? 0 : 1 } : {}),
    ...(retainAvailable ? {} : { retainAvailable }),
    ...(wildcardsAvailable ? {} : { wildcardAvailable: false }),
    ...(sharedAvailable ? {} : { sharedAvailable }),
    ...(subscriptionIdsAvailable ? {} : { subscriptionIdsAvailable }),
  };
}

/** Refuses a will that could not be published as it is [MQTT-3.2.2-12], [MQTT-3.2.2-13], [MQTT 5, 3.1.3.2.3]. */
export function checkWill(mqtt: Mqtt, { qos, retain, payloadFormat, payload }: Will): void {
  if (qos > mqtt.maximumQos || (retain && !mqtt.retainAvailable)) throw beyondOffer('CONNECT: a will', mqtt, qos);
  if (mqtt.checkPayloadFormat && !isOfFormat(payloadFormat, payload)) throw wrongFormat('CONNECT: the will payload');
}

/** What is wrong with a PUBLISH that goes beyond the offer [MQTT 5, 3.2.2.3.4, 3.2.2.3.5]. */
export function beyondOffer(what: string, mqtt: Mqtt, qos: number): BrokerError {
  return qos > mqtt.maximumQos
    ? new BrokerError('qos-not-supported', `${what} of QoS ${qos}, this server offers ${mqtt.maximumQos} at most [MQTT-3.2.2-11]`)
    : new BrokerError('retain-not-supported', `${what} to be retained, this server retains nothing [MQTT-3.2.2-14]`);
}

/** Refuses a SUBSCRIBE of MQTT 5 as a whole when it asks for what CONNACK said is not there [MQTT 5, 3.2.2.3.11 to 3.2.2.3.13]. */
export function checkSubscribe(mqtt: Mqtt, packet: Subscribe): void {
  if (packet.subscriptionId !== 0 && !mqtt.subscriptionIdsAvailable) {
    throw new BrokerError('subscription-ids-not-supported', 'SUBSCRIBE: this server offers no subscription identifiers [MQTT 5, 3.2.2.3.12]');
  }
  for (const { filter } of packet.requests) {
    const missing = missingFor(mqtt, filter);
    if (missing !== null) throw new BrokerError(missing, `SUBSCRIBE: this server offers nothing like ${filter.slice(0, 50)} [MQTT 5, 3.2.2.3]`);
  }
}

/** Why a filter cannot be had, or null. */
export function missingFor(mqtt: Mqtt, filter: string): ErrorCode | null {
  if (!mqtt.sharedAvailable && filter.startsWith('$share/')) return 'shared-not-supported';
  return !mqtt.wildcardsAvailable && hasWildcard(filter) ? 'wildcard-not-supported' : null;
}

/** Whether a payload is what its format indicator says: with 1, well-formed UTF-8 [MQTT 5, 3.3.2.3.2]. */
export function isOfFormat(payloadFormat: number, payload: Buffer): boolean {
  return payloadFormat === 0 || isUtf8(payload);
}

export function wrongFormat(what: string): BrokerError {
  return new BrokerError('payload-format-invalid', `${what} is not the UTF-8 that its format indicator says [MQTT 5, 3.3.2.3.2]`);
}
