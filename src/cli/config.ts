import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { printConfig } from '../config/print.ts';
import { configReference } from '../config/reference.ts';
import { addConfigFlags, loadFromFlags } from './config-flags.ts';

export function declareConfig(program: Command): void {
  const config = program.command('config').description('look at a configuration without starting anything');

  config
    .command('check')
    .description('tell all faults of a configuration file, together with the environment, at once')
    .argument('<file>', 'configuration file, YAML or JSON')
    .action((file: string) => {
      loadConfig({ file });
      process.stdout.write(`${file}: no faults\n`);
    });

  const print = config.command('print').description('show every option with its value and where the value came from; secrets are hidden');
  addConfigFlags(print).action(() => {
    process.stdout.write(printConfig(loadFromFlags(print)));
  });

  config
    .command('reference')
    .description('write the reference of all options, as Markdown')
    .action(() => {
      process.stdout.write(configReference());
    });
}
