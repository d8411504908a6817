import { InvalidArgumentError, type Command } from 'commander';
import { checkUsername, editPasswords, passwordLine } from '../auth/password-edit.ts';
import { leastCostLog2, mostCostLog2, usualCostLog2 } from '../auth/password-hash.ts';
import { leastIterations, mostIterations, usualIterations } from '../auth/scram-verifier.ts';
import { BrokerError } from '../base/errors.ts';
import { askPassword } from './ask-password.ts';

const help = `
The password is typed at the terminal, or read from standard input: openssl rand -hex 16 | swarmq passwd FILE USER
Running nodes take the change over within a second or two.

Cost: each step of --cost doubles the time and memory of checking one password; the default takes about 80 ms of a
processor. Random passwords of 128 bits, as devices have, are safe with --cost ${leastCostLog2}, about 3 ms.`;

interface Options {
  readonly delete?: true;
  readonly scram: boolean;
  readonly scramIterations: number;
  readonly cost: number;
}

export function declarePasswd(program: Command): void {
  program
    .command('passwd')
    .description('add a user to a password file, or change or remove one')
    .argument('<file>', 'password file; made when it is not there')
    .argument('<user>', 'name of the user')
    .option('--delete', 'remove the user')
    .option('--no-scram', 'store the hash for CONNECT only: the user cannot use SCRAM-SHA-256')
    .option('--scram-iterations <count>', 'how often SCRAM hashes the password', whole(leastIterations, mostIterations), usualIterations)
    .option('--cost <log2>', 'cost of scrypt, as a power of two', whole(leastCostLog2, mostCostLog2), usualCostLog2)
    .addHelpText('after', help)
    .action(async (file: string, user: string, options: Options) => {
      const username = checkUsername(user);
      if (options.delete) {
        if (!(await editPasswords(file, username, null))) throw new BrokerError('config-invalid', `${file} has no user ${JSON.stringify(username)}`);
        process.stdout.write(`${file}: user ${JSON.stringify(username)} removed\n`);
        return;
      }
      const password = await askPassword(process.stdin, process.stderr);
      const scramIterations = options.scram ? options.scramIterations : 0;
      await editPasswords(file, username, await passwordLine(username, { password, costLog2: options.cost, scramIterations }));
      process.stdout.write(`${file}: password of ${JSON.stringify(username)} set\n`);
    });
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,8}$/.test(text) ? Number(text) : -1;
    if (number < min || number > max) throw new InvalidArgumentError(`Give a number between ${min} and ${max}.`);
    return number;
  };
}
