import { isTopicFilter, parseShared } from '../base/topic.ts';
import { text, type Values } from './option.ts';

/** Which messages go to which Kafka topic, under which key. */
export type BridgeRule = Values<typeof bridgeRuleOptions>;

const placeholder = /\$\{(?:clientid|topic\[[1-9]\d{0,3}\])\}/g;

export const bridgeRuleOptions = {
  name: text({
    default: '',
    text: 'The name of the rule in metrics, logs and stored outboxes: letters, digits, `.`, `_`, `-`. Renaming it starts a new outbox.',
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
    text: 'The Kafka topic. May hold `${topic[1]}` (the first level of the MQTT topic, and so on) and `${clientid}`.',
    check: (topic) =>
      topic.length <= 249 && /^[A-Za-z0-9._-]+$/.test(topic.replace(placeholder, 'x'))
        ? null
        : 'is no Kafka topic: use letters, digits, . _ - and the placeholders ${topic[1]}, ${topic[2]}, ... and ${clientid}',
  }),
  key: text({
    default: '${clientid}',
    text: 'The key of the Kafka record, with the same placeholders. Records of one key keep their order.',
    check: (key) =>
      key.replace(placeholder, '').includes('${') ? 'has an unknown placeholder: there are ${topic[1]}, ${topic[2]}, ... and ${clientid}' : null,
  }),
} as const;
