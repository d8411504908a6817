import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { BrokerError } from '../base/errors.ts';
import { withPassword } from '../base/redis-url.ts';
import { checkRelations } from './check.ts';
import { configInvalid, type ConfigFault } from './fault.ts';
import type { Refuse } from './option.ts';
import { collect, readValue, refused, unknownName } from './read.ts';
import { options, type Config } from './schema.ts';
import { fileVariable, nest, settings } from './settings.ts';
import { hidePasswords, showValue } from './show.ts';

/** One option as the command line gave it: `name` is the flag, for messages. */
export interface FlagValue {
  readonly path: string;
  readonly value: unknown;
  readonly name: string;
}

/** All that may say something about the configuration. Later ones overrule earlier ones, option by option. */
export interface Sources {
  readonly document?: { readonly name: string; readonly values: unknown };
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly flags?: readonly FlagValue[];
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where the value of the option at this path came from, in words: `default`, `file swarmq.yaml`, ... */
  originOf(path: string): string;
}

/**
 * The configuration from file, environment and flags: defaults < file (YAML or JSON) < environment < flags.
 *
 * Throws `config-invalid` with all faults at once, a file that cannot be read among them.
 */
export function loadConfig(from: {
  readonly file?: string | undefined;
  readonly flags?: readonly FlagValue[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
}): LoadedConfig {
  const environment = from.environment ?? process.env;
  const file = from.file ?? (environment[fileVariable] || undefined);
  const sources = { environment, flags: from.flags ?? [] };
  return resolveConfig(file === undefined ? sources : { ...sources, document: readDocument(file) });
}

/** Puts the sources together. Throws `config-invalid` with all faults at once. */
export function resolveConfig({ document, environment = {}, flags = [] }: Sources): LoadedConfig {
  const faults: ConfigFault[] = [];
  const said = new Map<string, { raw: unknown; origin: string }>();
  const originOf = (path: string): string => said.get(path)?.origin ?? 'default';
  const refuseFrom = (origin: string | null): Refuse => (path, value, problem) => {
    const top = settings.get(path.replace(/\[.*$/, ''));
    const shown = top === undefined ? hidePasswords(JSON.stringify(value)) : showValue(top.option, value);
    faults.push({ path, origin: origin ?? originOf(top?.path ?? path), value: value === null ? null : shown, problem });
  };

  if (document !== undefined && document.values !== null) {
    const origin = `file ${document.name}`;
    const values = collect(options, document.values, refuseFrom(origin));
    if (values === null) faults.push({ path: '', origin, value: null, problem: 'holds no options: write name: value lines' });
    for (const [path, raw] of values ?? []) said.set(path, { raw, origin });
  }
  for (const { path, raw, variable } of readEnvironment(environment, faults)) said.set(path, { raw, origin: `environment ${variable}` });
  for (const { path, value, name } of flags) {
    if (settings.has(path)) said.set(path, { raw: value, origin: `flag ${name}` });
    else faults.push({ path, origin: `flag ${name}`, value: null, problem: unknownName(path, settings.keys()) });
  }

  const unreadable = new Set<string>();
  const values = new Map<string, unknown>();
  for (const { path, option } of settings.values()) {
    const raw = said.get(path)?.raw;
    const value = raw === undefined ? refused : readValue(option, raw, path, refuseFrom(null));
    if (raw !== undefined && value === refused) unreadable.add(path);
    values.set(path, value === refused ? (option.makeDefault?.() ?? option.default) : value);
  }
  // the shape is that of `options`, each value read by its option
  const config = nest(options, (path) => values.get(path)) as unknown as Config;
  checkRelations(config, (path) => !unreadable.has(path), refuseFrom(null));
  if (faults.length > 0) throw configInvalid(faults);
  return { config: withRedisPassword(config), originOf };
}

function readDocument(file: string): { name: string; values: unknown } {
  const fail = (problem: string): never => {
    throw configInvalid([{ path: '', origin: `file ${file}`, value: null, problem }]);
  };
  const lineCounter = new LineCounter();
  try {
    // plain messages: the pretty ones quote the line, which may hold a password
    const document = parseDocument(readFileSync(file, 'utf8'), { prettyErrors: false, lineCounter });
    const [error] = document.errors;
    if (error === undefined) return { name: file, values: document.toJS() as unknown };
    return fail(`is neither YAML nor JSON at line ${lineCounter.linePos(error.pos[0]).line}: ${error.message}`);
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    return fail(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The options in the environment. An empty variable counts as absent, as compose files and charts leave it. */
function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  faults: ConfigFault[],
): { path: string; raw: string; variable: string }[] {
  const byVariable = new Map([...settings.values()].map((setting) => [setting.variable, setting.path]));
  const found: { path: string; raw: string; variable: string }[] = [];
  for (const [variable, raw] of Object.entries(environment)) {
    if (!variable.startsWith('SWARMQ_') || variable === fileVariable || raw === undefined || raw === '') continue;
    const path = byVariable.get(variable);
    if (path !== undefined) found.push({ path, raw, variable });
    else if (!isServiceLink(variable, raw)) {
      faults.push({
        path: '',
        origin: `environment ${variable}`,
        value: null,
        problem: unknownName(variable, [fileVariable, ...byVariable.keys()]),
      });
    }
  }
  return found;
}

/** What Kubernetes sets in every pod of a namespace that has a Service named swarmq: it is not ours to refuse. */
function isServiceLink(variable: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(variable)) return true;
  return variable.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value);
}

function withRedisPassword(config: Config): Config {
  const { url, password } = config.redis;
  if (url === null || password === null) return config;
  return { ...config, redis: { ...config.redis, url: withPassword(url, password) } };
}
