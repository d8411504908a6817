import { BrokerError } from '../base/errors.ts';

const maxBytes = 65_535;
const interrupt = '\u0003';
const endOfInput = '\u0004';

/**
 * A password from standard input: the first line of what is piped in, or typed twice at a terminal, where it is not shown.
 *
 * Rejects with `config-invalid` when both differ, or when it is longer than MQTT can carry.
 */
export async function askPassword(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<string> {
  if (!input.isTTY) return firstLine(await readAll(input));
  const password = await typed(input, output, 'Password: ');
  if ((await typed(input, output, 'Again: ')) !== password) throw new BrokerError('config-invalid', 'the two passwords differ: nothing was changed');
  return password;
}

async function readAll(input: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > maxBytes + 2) throw new BrokerError('config-invalid', `the password is longer than ${maxBytes} bytes`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function firstLine(text: string): string {
  const [line = '', ...more] = text.replace(/\r?\n$/, '').split('\n');
  if (more.length > 0) throw new BrokerError('config-invalid', 'the password has more than one line');
  return line;
}

/** What is typed until Enter, with the terminal in raw mode so that nothing of it is shown. */
function typed(input: NodeJS.ReadStream, output: NodeJS.WriteStream, prompt: string): Promise<string> {
  output.write(prompt);
  input.setRawMode(true);
  input.setEncoding('utf8');
  return new Promise((resolve, reject) => {
    let text = '';
    const finish = (settle: () => void): void => {
      input.off('data', take);
      input.setRawMode(false);
      input.pause();
      output.write('\n');
      settle();
    };
    const take = (keys: string): void => {
      for (const key of keys) {
        if (key === interrupt) {
          finish(() => { reject(new BrokerError('config-invalid', 'interrupted: nothing was changed')); });
          return;
        }
        if (key === '\r' || key === '\n' || key === endOfInput) {
          finish(() => { resolve(text); });
          return;
        }
        text = key === '\u007f' || key === '\b' ? [...text].slice(0, -1).join('') : text + key;
      }
    };
    input.on('data', take);
    input.resume();
  });
}
