import { isTopicFilter, parseShared } from '../base/topic.ts';
import { text, type Refuse, type Values } from './option.ts';

/** Which messages go to which Kafka topic, under which key. */
export type BridgeRule = Values<typeof bridgeRuleOptions>;

const placeholder = /\$\{(?:clientid|qos|topic(?:\[([1-9]\d{0,4})\])?)\}/g;
const placeholders = '${clientid}, ${topic}, ${topic[1]}, ${topic[2]}, ... and ${qos}';

export const bridgeRuleOptions = {
  name: text({
    default: '',
    text: 'The name of the rule in metrics, logs and the outbox: letters, digits, `.`, `_`, `-`. Records that wait under a name that is no more go to the dead-letter topic.',
    check: (name) => (/^[A-Za-z0-9._-]{1,64}$/.test(name) ? null : 'is no rule name: use 1 to 64 letters, digits, . _ or -'),
  }),
  filter: text({
    default: '',
    text: 'The MQTT topic filter of the messages to send.',
    check: (filter) =>
      isTopicFilter(filter) && parseShared(filter) === null
        ? null
        : 'is no MQTT topic filter: + stands for one whole level, # for all that follow at the end; $share is not for bridges',
  }),
  topic: text({
    default: '',
    text: 'The Kafka topic. May hold `${topic[1]}` (the first level of the MQTT topic, and so on), `${clientid}` and `${qos}`.',
    check: (topic) =>
      topic.length <= 249 && /^[A-Za-z0-9._-]+$/.test(topic.replace(placeholder, 'x'))
        ? null
        : `is no Kafka topic: use letters, digits, . _ - and the placeholders ${placeholders}`,
  }),
  key: text({
    default: '${clientid}',
    text: 'The key of the Kafka record, with the same placeholders and `${topic}`, the whole one. Records of one key keep their order.',
    check: (key) => (key.replace(placeholder, '').includes('${') ? `has an unknown placeholder: there are ${placeholders}` : null),
  }),
} as const;

/** Finishes one rule: a template may only ask for levels that every topic of the filter has. */
export function makeBridgeRule(rule: BridgeRule, refuse: Refuse): BridgeRule {
  const levels = leastLevels(rule.filter);
  for (const field of ['topic', 'key'] as const) {
    for (const [words, level] of rule[field].matchAll(placeholder)) {
      if (Number(level ?? 0) <= levels) continue;
      refuse(field, rule[field], `asks for ${words}, but topics of ${rule.filter} may have no more levels than ${levels}`);
    }
  }
  return rule;
}

/** How many levels every topic has that the filter matches; `a/#` also matches `a` [MQTT 5, 4.7.1.2]. */
function leastLevels(filter: string): number {
  const levels = filter.split('/').length;
  return filter.endsWith('#') ? Math.max(levels - 1, 1) : levels;
}
