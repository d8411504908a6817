import { BrokerError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import { isTopicFilter } from '../base/topic.ts';
import { Body } from '../codec/body.ts';
import { putVarint, varintBytes } from '../codec/bytes.ts';
import { readProperties } from '../codec/properties.ts';
import type { BridgeRule } from '../config/bridge-rule.ts';
import type { KafkaRecord } from './kafka.ts';
import { compileTemplate, type Template } from './template.ts';

/** A rule, ready to map messages that its filter matches. */
export interface Rule {
  readonly name: string;
  readonly filter: string;
  readonly topic: Template;
  readonly key: Template;
}

/**
 * Compiles the rules of a configuration. Throws `config-invalid`, naming the place, for a template that cannot be filled
 * in for every message of its filter, a filter that is none, or a name that stands twice.
 */
export function compileRules(rules: readonly BridgeRule[]): Rule[] {
  const names = new Set<string>();
  return rules.map(({ name, filter, topic, key }, index) => {
    const place = `bridge.rules[${index}]`;
    if (names.has(name)) throw new BrokerError('config-invalid', `${place}.name: ${name} stands twice; give each rule its own name`);
    if (!isTopicFilter(filter)) throw new BrokerError('config-invalid', `${place}.filter: "${filter}" is no MQTT topic filter`);
    names.add(name);
    const levels = leastLevels(filter);
    return {
      name,
      filter,
      topic: compileTemplate(topic, `${place}.topic`, levels),
      key: compileTemplate(key, `${place}.key`, levels),
    };
  });
}

/**
 * The Kafka record of a message: the payload as it is, with what MQTT knows about it in headers.
 * Throws `topic-name-invalid` when the filled-in template is no Kafka topic name, or asks for a level that the topic lacks.
 */
export function toRecord(rule: Rule, message: Message): KafkaRecord {
  const topic = rule.topic(message);
  if (!isKafkaTopic(topic)) {
    throw new BrokerError('topic-name-invalid', `"${topic}" is no Kafka topic: 1 to 249 letters, digits, . _ and - are`);
  }
  return { topic, key: rule.key(message), value: message.payload, headers: headersOf(message), timestamp: message.publishedAt };
}

function headersOf(message: Message): KafkaRecord['headers'] {
  const headers: Record<string, string | string[]> = {
    'mqtt-topic': message.topic,
    'mqtt-client-id': message.publisher,
    'mqtt-qos': String(message.qos),
    'mqtt-timestamp': String(message.publishedAt),
  };
  if (message.properties.length > 0) addProperties(headers, message.properties);
  return headers;
}

/** User properties have a prefix, so that no client can pass for another one by a property called `mqtt-client-id`. */
function addProperties(headers: Record<string, string | string[]>, properties: Buffer): void {
  const length = Buffer.allocUnsafe(varintBytes(properties.length));
  putVarint(length, 0, properties.length);
  const bytes = Buffer.concat([length, properties]);
  const { contentType, userProperties = [] } = readProperties(new Body('PUBLISH', bytes, 0, bytes.length), 'publish');
  if (contentType !== undefined) headers['mqtt-content-type'] = contentType;
  for (const [name, value] of userProperties) {
    const header = `mqtt-user-${name}`;
    const earlier = headers[header];
    if (earlier === undefined) headers[header] = value;
    else if (typeof earlier === 'string') headers[header] = [earlier, value];
    else earlier.push(value);
  }
}

export function isKafkaTopic(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}

/** How many levels every topic has that the filter matches; `a/#` also matches `a` [MQTT 5, 4.7.1.2]. */
function leastLevels(filter: string): number {
  const levels = filter.split('/').length;
  return filter.endsWith('#') ? Math.max(levels - 1, 1) : levels;
}
