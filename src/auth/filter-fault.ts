import { isTopicFilter } from '../base/topic.ts';
import { hasUnknownPlaceholder } from './rule.ts';

/** What is wrong with the filter of a rule, as the rest of a sentence; or null. */
export function filterFault(filter: string): string | null {
  if (hasUnknownPlaceholder(filter)) return 'has a placeholder that is not ${clientid} or ${username}';
  return isTopicFilter(filter) ? null : `has ${JSON.stringify(filter)} where a topic filter should be`;
}
