import { isOption, type Option, type Table } from './option.ts';
import { options } from './schema.ts';
import { fileVariable, flatten, settings } from './settings.ts';
import { showValue } from './show.ts';

/** The configuration reference as Markdown: everything in it comes from the table of options. */
export function configReference(): string {
  const sections = Object.entries(options as Table).map(([name, node]) => {
    if (isOption(node)) return `## ${entry(name)}`;
    const entries = [...flatten(node, `${name}.`).keys()].map((path) => `### ${entry(path)}`);
    return `## ${name}\n\n${entries.join('\n')}`;
  });
  return [intro, ...sections].join('\n');
}

const intro = `# Configuration

Every option can be given in a file (YAML or JSON, \`--config FILE\` or \`${fileVariable}\`), in the environment, and on the
command line (\`--set path=value\`, or the flag named here). A flag overrules the environment, the environment overrules the
file, the file overrules the default; lists are replaced as a whole. Lists of objects are written as JSON in the environment.
An empty variable counts as absent. Unknown options and unknown \`SWARMQ_\` variables stop the start.

\`swarmq config check FILE\` tells all faults at once, \`swarmq config print\` shows each value and where it came from.
This page is written by \`swarmq config reference\`.
`;

function entry(path: string): string {
  const setting = settings.get(path);
  if (setting === undefined) throw new Error(`no option ${path}`);
  const { option, variable } = setting;
  const names = [`\`${variable}\``, ...(option.flag === undefined ? [] : [`\`${option.flag}\``])].join(', ');
  const lines = [path, '', option.text, '', `- ${facts(option)}`, `- ${names}`, ''];
  if (option.values.type === 'records') {
    const inner = [...flatten(option.values.item)].map(([name, field]) => `- \`${name}\`: ${field.text} ${sentence(facts(field))}`);
    lines.splice(-1, 0, '', 'Each entry has', '', ...inner);
    if (option.values.shorthand !== undefined) lines.splice(-1, 0, '', `An entry that is plain text is its \`${option.values.shorthand}\`.`);
  }
  return lines.join('\n');
}

function facts(option: Option<unknown>): string {
  const parts = [kind(option)];
  if (option.makeDefault !== undefined) parts.push(`default: ${String(option.default)}`);
  else if (option.default !== '' && option.default !== null) parts.push(`default \`${showValue(option, option.default)}\``);
  if (option.secret === true) parts.push('secret');
  if (option.reloadable === true) parts.push('reloadable');
  return parts.join('; ');
}

function kind({ values, unit }: Option<unknown>): string {
  switch (values.type) {
    case 'integer': {
      const range = values.max === Number.MAX_SAFE_INTEGER ? `from ${values.min}` : `${values.min} to ${values.max}`;
      return unit === undefined ? `whole number, ${range}` : `whole number, ${unit}, ${range}`;
    }
    case 'choice':
      return `one of ${values.of.map((name) => `\`${name}\``).join(', ')}`;
    case 'boolean':
      return '`true` or `false`';
    case 'address':
      return '`host:port`';
    case 'list':
      return 'list of texts; with commas in the environment and in flags';
    case 'records':
      return 'list of objects';
    case 'text':
      return 'text';
  }
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
