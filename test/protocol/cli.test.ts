import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/folder.ts';
import { TestProcess } from '../support/process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** Runs `swarmq` with no variables of its own but these, until it ends. */
async function swarmq(args: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<Run> {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('SWARMQ_'));
  const env = { ...Object.fromEntries(others), ...variables };
  const run = new TestProcess(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], { name: 'swarmq', cwd: root, env });
  const { code } = await run.exited;
  return { code, output: run.output };
}

describe('the command line', () => {
  it('explains itself and its exit codes with --help', async () => {
    for (const args of [['--help'], ['start', '--help'], ['cluster', '--help'], ['config', '--help'], ['config', 'print', '--help']]) {
      const { code, output } = await swarmq(args);
      assert.equal(code, 0, args.join(' '));
      assert.match(output, /^Usage: swarmq/);
      assert.match(output, /Exit codes:\n {2}0 /);
    }
  });

  it('tells its version', async () => {
    const { code, output } = await swarmq(['--version']);
    assert.equal(code, 0);
    assert.match(output, /^\d+\.\d+\.\d+\n$/);
  });

  it('ends with 2 and the nearest name at an unknown option or command', async () => {
    const option = await swarmq(['start', '--lisen', 'mqtt://127.0.0.1']);
    assert.equal(option.code, 2);
    assert.match(option.output, /unknown option '--lisen'\n\(Did you mean --listen\?\)/);
    const command = await swarmq(['strat']);
    assert.equal(command.code, 2);
    assert.match(command.output, /unknown command 'strat'\n\(Did you mean start\?\)/);
  });

  it('ends with 2 when a value is no value at all, or no command is given', async () => {
    assert.equal((await swarmq(['cluster', '--nodes', 'many'])).code, 2);
    assert.equal((await swarmq(['start', '--set', 'mqtt.maxInflight'])).code, 2);
    assert.equal((await swarmq(['worker'])).code, 2);
    assert.equal((await swarmq([])).code, 2);
  });

  it('ends with 3 and all faults when the configuration is wrong', async () => {
    const { code, output } = await swarmq(['start', '--listen', 'mqtt://0.0.0.0:1883', '--set', 'mqtt.maxPacketSize=4'], { SWARMQ_REDIS_ULR: 'x' });
    assert.equal(code, 3);
    assert.match(output, /^swarmq: the configuration has 3 faults:\n/);
    assert.match(output, /"mqtt:\/\/0\.0\.0\.0:1883" can be reached from other machines.*--allow-anonymous/);
    assert.match(output, /did you mean mqtt\.maxPacketBytes\?/);
    assert.match(output, /did you mean SWARMQ_REDIS_URL\?/);
  });

  it('ends with 3 when a cluster has no Redis', async () => {
    const { code, output } = await swarmq(['cluster', '--nodes', '2']);
    assert.equal(code, 3);
    assert.match(output, /redis\.url .*--redis redis:\/\/host:6379/);
  });
});

describe('swarmq config', () => {
  const folder = temporaryFolder('cli');
  const file = join(folder.path, 'swarmq.yaml');
  after(() => {
    folder.remove();
  });

  it('check tells that a file is fine', async () => {
    writeFileSync(file, 'node:\n  id: n1\nredis:\n  url: redis://127.0.0.1:6379\n');
    assert.deepEqual(await swarmq(['config', 'check', file]), { code: 0, output: `${file}: no faults\n` });
  });

  it('check tells all faults of a file at once', async () => {
    writeFileSync(file, 'nodes: 3\nmqtt:\n  maxInflight: 0\nlisteners:\n  - mqtts://127.0.0.1\n');
    const { code, output } = await swarmq(['config', 'check', file]);
    assert.equal(code, 3);
    assert.match(output, /has 4 faults/);
    for (const path of ['nodes', 'mqtt.maxInflight', 'listeners[0].tls.certFile', 'listeners[0].tls.keyFile']) {
      assert.ok(output.includes(`\n  ${path} (file ${file}): `), path);
    }
  });

  it('print shows each value with its origin and hides secrets', async () => {
    writeFileSync(file, 'redis:\n  url: redis://user:wonderland@127.0.0.1:6379\nkafka:\n  clientId: from-file\n');
    const args = ['config', 'print', '--config', file, '--node-id', 'n1', '--listen', 'mqtt://127.0.0.1:1', '--listen', 'wss://127.0.0.1:2'];
    const tls = ['--tls-cert', 'c.pem', '--tls-key', 'k.pem', '--tls-ca', 'a.pem'];
    const { code, output } = await swarmq([...args, ...tls, '--set', 'mqtt.maxInflight=7'], { SWARMQ_LOG_LEVEL: 'warn' });
    assert.equal(code, 0);
    assert.doesNotMatch(output, /wonderland/);
    const origins: Record<string, string> = {};
    for (const [, value = '', origin = ''] of output.matchAll(/^(.*?) +# (.*)$/gm)) origins[value] = origin;
    assert.equal(origins['redis.url: "redis://user:***@127.0.0.1:6379"'], `file ${file}`);
    assert.equal(origins['kafka.clientId: "from-file"'], `file ${file}`);
    assert.equal(origins['node.id: "n1"'], 'flag --node-id');
    assert.equal(origins['log.level: "warn"'], 'environment SWARMQ_LOG_LEVEL');
    assert.equal(origins['mqtt.maxInflight: 7'], 'flag --set mqtt.maxInflight');
    assert.equal(origins['allowAnonymous: false'], 'default');
    const secured = '{"url":"wss://127.0.0.1:2/mqtt","tls.certFile":"c.pem","tls.keyFile":"k.pem","tls.caFile":"a.pem","tls.requestCertificate":true}';
    assert.equal(origins[`listeners: ["mqtt://127.0.0.1:1",${secured}]`], 'flag --listen');
  });

  it('reference writes the page of all options', async () => {
    const { code, output } = await swarmq(['config', 'reference']);
    assert.equal(code, 0);
    assert.match(output, /^# Configuration\n/);
    assert.match(output, /### redis\.url\n/);
  });
});
