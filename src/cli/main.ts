#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { createRequire } from 'node:module';
import { declareCluster } from './cluster.ts';
import { declareConfig } from './config.ts';
import { exitCodeOf, exitCodes, exitCodesHelp } from './exit-codes.ts';
import { declarePasswd } from './passwd.ts';
import { declareStart } from './start.ts';
import { declareWorker } from './worker.ts';

const { version } = createRequire(import.meta.url)('swarmq/package.json') as { version: string };

const program = new Command('swarmq')
  .description('A clustered MQTT broker on Redis, with a bridge to Kafka.')
  .version(version)
  .addHelpText('afterAll', exitCodesHelp)
  .showHelpAfterError('(--help shows what there is)')
  .exitOverride();

declareStart(program);
declareCluster(program);
declareConfig(program);
declarePasswd(program);
declareWorker(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has written its message; help that nobody asked for is a usage error
    process.exitCode = error.exitCode === 0 ? exitCodes.fine : exitCodes.usage;
  } else {
    process.stderr.write(`swarmq: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
