import { InvalidArgumentError, Option, type Command } from 'commander';
import { loadConfig, type FlagValue, type LoadedConfig } from '../config/load.ts';
import { settings } from '../config/settings.ts';

/** The certificates of all TLS listeners that `--listen` names; in a file each listener has its own. */
const tlsFlags = { certFile: '--tls-cert <file>', keyFile: '--tls-key <file>', caFile: '--tls-ca <file>' } as const;

const tlsHelp = {
  certFile: 'certificate chain (PEM) of the mqtts and wss listeners given by --listen',
  keyFile: 'their private key (PEM)',
  caFile: 'authorities (PEM); clients must then show a certificate of theirs',
} as const;

/** Declares `--config`, the flags that the table of options names, and `--set` for all the others. */
export function addConfigFlags(command: Command): Command {
  command.option('--config <file>', 'configuration file, YAML or JSON');
  for (const { option } of settings.values()) {
    if (option.flag === undefined) continue;
    const isList = option.values.type === 'records';
    const flag = new Option(option.flag, `${summary(option.text)}${isList ? '; may repeat' : ''}`);
    command.addOption(isList ? flag.argParser(append) : flag);
  }
  for (const [name, flag] of Object.entries(tlsFlags)) command.option(flag, tlsHelp[name as keyof typeof tlsHelp]);
  const assignment = new Option('--set <path=value>', 'any other option, for example mqtt.maxPacketBytes=65536; may repeat');
  return command.addOption(assignment.argParser((text, before: string[] | undefined) => {
    if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError('Write path=value.');
    return append(text, before);
  }));
}

/** The configuration as flags, environment and file give it. Throws `config-invalid` with all faults. */
export function loadFromFlags(command: Command): LoadedConfig {
  return loadConfig({ file: command.getOptionValue('config') as string | undefined, flags: readConfigFlags(command) });
}

function readConfigFlags(command: Command): FlagValue[] {
  const given: FlagValue[] = [];
  for (const { path, option } of settings.values()) {
    if (option.flag === undefined) continue;
    const { long } = new Option(option.flag);
    const value = valueOf(command, option.flag);
    if (value === undefined || !long) continue;
    given.push({ path, name: long, value: path === 'listeners' ? withTls(value as string[], command) : value });
  }
  for (const assignment of (valueOf(command, '--set <path=value>') as string[] | undefined) ?? []) {
    const end = assignment.indexOf('=');
    const path = assignment.slice(0, end);
    given.push({ path, name: `--set ${path}`, value: assignment.slice(end + 1) });
  }
  return given;
}

function withTls(urls: readonly string[], command: Command): unknown[] {
  const files = Object.entries(tlsFlags).map(([name, flag]) => [name, valueOf(command, flag)] as const);
  const tls = Object.fromEntries(files.filter(([, file]) => file !== undefined));
  if (tls['caFile'] !== undefined) tls['requestCertificate'] = true;
  return urls.map((url) => (/^(mqtts|wss):/i.test(url) ? { url, tls } : { url }));
}

function valueOf(command: Command, flag: string): unknown {
  return command.getOptionValue(new Option(flag).attributeName());
}

function append(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** The first sentence, as help texts are written. */
function summary(text: string): string {
  const [first = text] = text.split(/\.\s|\.$/);
  return first.replaceAll('`', '');
}
