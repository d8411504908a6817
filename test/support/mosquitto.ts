import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atEnd } from './ends.ts';
import { eventually } from './eventually.ts';
import { temporaryFolder } from './folder.ts';
import { freePort } from './ports.ts';
import { TestProcess } from './process.ts';

export interface MosquittoOptions {
  readonly id?: string;
  readonly qos?: 0 | 1 | 2;
  readonly version?: '31' | '311' | '5';
  /** Keeps the session when it leaves. */
  readonly persistent?: boolean;
  /** More arguments. */
  readonly args?: readonly string[];
}

function common(port: number, topic: string, { id, qos = 1, version = '311', persistent = false, args = [] }: MosquittoOptions): string[] {
  const session = persistent ? (version === '5' ? ['-c', '-x', '3600'] : ['-c']) : [];
  return ['-h', '127.0.0.1', '-p', String(port), '-t', topic, '-q', String(qos), '-V', version, ...(id ? ['-i', id] : []), ...session, ...args];
}

/** Publishes each payload with the distribution's mosquitto_pub, one connection for all; resolves once all are acknowledged. */
export async function mosquittoPub(
  port: number,
  topic: string,
  payloads: readonly string[],
  options: MosquittoOptions & { readonly retain?: boolean } = {},
): Promise<void> {
  const { retain = false, ...others } = options;
  const input = payloads.map((payload) => `${payload}\n`).join('');
  const args = [...common(port, topic, others), '-l', ...(retain ? ['-r'] : [])];
  await new TestProcess('mosquitto_pub', args, { input }).success(60_000);
}

export interface MosquittoMessage {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly payload: string;
}

/** The distribution's mosquitto_sub, running until it is stopped. */
export class MosquittoSub {
  readonly process: TestProcess;

  constructor(port: number, topic: string, options: MosquittoOptions) {
    const args = [...common(port, topic, options), '-d', '-F', '%q %r %t\t%p'];
    // into a pipe it would say that it has subscribed only when it ends
    this.process = new TestProcess('stdbuf', ['-oL', 'mosquitto_sub', ...args], { name: 'mosquitto_sub' });
  }

  /** Resolves at the SUBACK. */
  async ready(): Promise<void> {
    await this.process.line((line) => (line.startsWith('Subscribed') ? true : undefined), 'SUBACK');
  }

  get messages(): MosquittoMessage[] {
    return this.process.lines.flatMap((line) => {
      const parts = /^([012]) ([01]) ([^\t]*)\t(.*)$/.exec(line);
      if (parts === null) return [];
      const [, qos, retain, topic = '', payload = ''] = parts;
      return { topic, qos: Number(qos) as 0 | 1 | 2, retain: retain === '1', payload };
    });
  }

  async received(count: number, withinMs = 10_000): Promise<MosquittoMessage[]> {
    const enough = () => {
      const { messages } = this;
      return messages.length >= count && messages;
    };
    return eventually(enough, { withinMs, what: `${count} messages at mosquitto_sub` });
  }

  /** Ends it with DISCONNECT. */
  async stop(): Promise<void> {
    await this.process.stop();
  }

  /** It vanishes without DISCONNECT. */
  async kill(): Promise<void> {
    await this.process.kill();
  }
}

/** Subscribes with mosquitto_sub and resolves at the SUBACK. */
export async function mosquittoSub(port: number, topic: string, options: MosquittoOptions = {}): Promise<MosquittoSub> {
  const sub = new MosquittoSub(port, topic, options);
  await sub.ready();
  return sub;
}

/** A mosquitto broker on loopback, as the peer to compare with. `lines` are added to its configuration. */
export async function startMosquitto(lines: readonly string[] = []): Promise<{ port: number; url: string; pid: number; stop(): Promise<void> }> {
  const port = await freePort();
  const folder = temporaryFolder('mosquitto');
  const file = join(folder.path, 'mosquitto.conf');
  // without `user root` it would leave root for a user who cannot read the folder
  const config = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'user root', 'persistence false', ...lines];
  writeFileSync(file, `${config.join('\n')}\n`);
  const broker = new TestProcess('mosquitto', ['-c', file], { name: `mosquitto ${port}`, unowned: true });
  const stop = async (): Promise<void> => {
    forget();
    await broker.stop();
    folder.remove();
  };
  const forget = atEnd(broker.name, stop);
  await broker.line((line) => (line.endsWith(' running') ? true : undefined), 'a running mosquitto');
  return { port, url: `mqtt://127.0.0.1:${port}`, pid: broker.pid, stop };
}
