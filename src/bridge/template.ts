import { BrokerError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';

/**
 * Text with placeholders, filled in for each message:
 *
 *   ${clientid}   the publisher's client id; empty for what the broker itself publishes
 *   ${topic}      the whole MQTT topic
 *   ${topic[2]}   its second level, counted from 1: `VIN7` of `vehicles/VIN7/telemetry`
 *   ${qos}        0, 1 or 2
 */
export type Template = (message: Message) => string;

type Part = string | Template;

const placeholder = /\$\{([^}]*)\}?/g;

/**
 * Compiles a template. `place` names it in faults, `levels` is how many levels every topic it will meet has at least.
 * Throws `config-invalid` for a placeholder that is unknown, not closed, or asks for a level that topics may not have.
 */
export function compileTemplate(text: string, place: string, levels: number): Template {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(placeholder)) {
    if (match.index > at) parts.push(text.slice(at, match.index));
    if (!match[0].endsWith('}')) throw invalid(place, match.index, `${match[0]} is not closed with }`);
    parts.push(fill(match[1] ?? '', levels, (problem) => invalid(place, match.index, `\${${match[1]}} ${problem}`)));
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push(text.slice(at));

  const [only] = parts;
  if (parts.length === 0) return () => '';
  if (parts.length === 1 && only !== undefined) return typeof only === 'string' ? () => only : only;
  return (message) => {
    let filled = '';
    for (const part of parts) filled += typeof part === 'string' ? part : part(message);
    return filled;
  };
}

function fill(name: string, levels: number, fault: (problem: string) => BrokerError): Template {
  switch (name) {
    case 'clientid':
      return (message) => message.publisher;
    case 'topic':
      return (message) => message.topic;
    case 'qos':
      return (message) => String(message.qos);
  }
  const level = Number(/^topic\[([1-9]\d{0,4})\]$/.exec(name)?.[1]);
  if (Number.isNaN(level)) throw fault('is unknown: there are ${clientid}, ${topic}, ${topic[1]}, ${topic[2]}, ... and ${qos}');
  if (level > levels) throw fault(`asks for level ${level}, and the filter lets topics in that have ${levels}`);
  return (message) => levelOf(message.topic, level);
}

/** A record may have come into the outbox under an earlier filter of its rule, so the level is not taken for granted. */
function levelOf(topic: string, level: number): string {
  let start = 0;
  for (let passed = 1; passed < level; passed++) {
    start = topic.indexOf('/', start) + 1;
    if (start === 0) throw new BrokerError('topic-name-invalid', `"${topic}" has ${passed} levels, level ${level} was asked for`);
  }
  const end = topic.indexOf('/', start);
  return end < 0 ? topic.slice(start) : topic.slice(start, end);
}

function invalid(place: string, at: number, problem: string): BrokerError {
  return new BrokerError('config-invalid', `${place}: at character ${at + 1}: ${problem}`);
}
