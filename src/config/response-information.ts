import { isTopicName } from '../base/topic.ts';

/** A topic in which `${clientid}` and `${username}` may stand for those of the client. */
export function checkResponseInformation(template: string): string | null {
  const unknown = /\$\{(?!(?:clientid|username)\})[^}]*\}?/.exec(template);
  if (unknown !== null) return `holds ${unknown[0]}: only \${clientid} and \${username} are known`;
  return isTopicName(template) && Buffer.byteLength(template) <= 1024 ? null : 'is no topic: use up to 1,024 bytes without + and #';
}
