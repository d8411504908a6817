// `npm run up`: a whole cluster on this machine, with a Redis of its own, until Ctrl-C.
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, isFresh } from './build.mjs';
import { startChild } from './child.mjs';
import { ensureNpm, hasCommand, say } from './install.mjs';
import { startKafka } from './kafka.mjs';
import { firstFree } from './ports.mjs';
import { startRedis } from './redis.mjs';

const usage = `npm run up -- [options]

  --nodes N      how many broker nodes (3)
  --port PORT    port of the endpoint; the next free one when it is busy (1883)
  --redis URL    use this Redis instead of starting a private one
  --with-kafka   start a real Apache Kafka too, and a bridge rule for it`;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, '.swarmq');
const pidFile = join(folder, 'up.pid');
const nodesLog = join(folder, 'nodes.log');
const rule = { name: 'telemetry', filter: 'vehicles/+/telemetry', topic: 'vehicle-telemetry' };

/** How to end what was started, the first one first. */
const ends = [];

function readOptions() {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '3' },
      port: { type: 'string', default: '1883' },
      redis: { type: 'string' },
      'with-kafka': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const number = (name, most) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new Error(`--${name} ${values[name]}: give a whole number from 1 to ${most}`);
  };
  return {
    nodes: number('nodes', 100),
    port: number('port', 65_535),
    redisUrl: values.redis,
    withKafka: values['with-kafka'],
    help: values.help,
  };
}

const shown = (path) => relative(process.cwd(), path);

/** Two clusters in one folder would write the same append-only file. */
function claimFolder() {
  mkdirSync(folder, { recursive: true });
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
  if (isAlive(pid)) throw new Error(`already running here, as process ${pid} (if that is something else, remove ${shown(pidFile)})`);
  writeFileSync(pidFile, String(process.pid));
  ends.push(() => rmSync(pidFile, { force: true }));
}

function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function choosePort(wanted) {
  const port = await firstFree(wanted);
  if (port !== wanted) say(`port ${wanted} is busy, taking ${port}`);
  return port;
}

/** Starts the nodes; their log goes to a file. Resolves with what they say of themselves once all are ready. */
async function startNodes({ nodes, port, redisUrl, kafka }) {
  const admin = await firstFree(9090, nodes);
  const args = [join(root, 'dist/src/cli/main.js'), 'cluster', '--nodes', String(nodes), '--node-id', 'n'];
  args.push('--listen', `mqtt://127.0.0.1:${port}`, '--redis', redisUrl, '--admin', `127.0.0.1:${admin}`);
  if (kafka !== null) {
    const config = join(folder, 'swarmq.yaml');
    writeFileSync(config, ['bridge:', '  rules:', ...ruleLines(rule), ''].join('\n'));
    args.push('--kafka', kafka.brokers, '--config', config);
  }
  const env = { ...process.env };
  // meant for this script; a node stops at a variable that it does not know
  delete env.SWARMQ_KAFKA_VERSION;
  const cluster = startChild(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env, detached: true });
  ends.push(() => cluster.end('SIGINT'));

  const log = createWriteStream(nodesLog);
  cluster.child.stdout.pipe(log, { end: false });
  cluster.child.stderr.pipe(log, { end: false });
  const ready = new Promise((resolve) => {
    createInterface({ input: cluster.child.stdout }).on('line', (line) => {
      const { msg, ...fields } = line.startsWith('{') ? JSON.parse(line) : {};
      if (msg === 'cluster ready') resolve(fields);
      if (msg === 'a node ended and is started again') say(`${fields.id} (pid ${fields.pid}) ended, starting it again`);
      if (msg === 'node ready again') say(`${fields.id} is back: pid ${fields.pid}`);
    });
  });
  const early = cluster.exited.then((words) => {
    throw new Error(`the nodes did not start (${words}):\n${readFileSync(nodesLog, 'utf8').trim().split('\n').slice(-5).join('\n')}`);
  });
  return { ...(await Promise.race([ready, early])), exited: cluster.exited };
}

function ruleLines({ name, filter, topic }) {
  return [`    - name: ${name}`, `      filter: '${filter}'`, `      topic: ${topic}`];
}

function describe({ endpoint, nodes }, kafka) {
  const { port } = new URL(endpoint);
  const mosquitto = hasCommand('mosquitto_sub');
  const sub = (topic) => (mosquitto ? `mosquitto_sub -p ${port} -q 1 -t '${topic}' -v` : `npx mqtt sub -h 127.0.0.1 -p ${port} -q 1 -t '${topic}' -v`);
  const pub = (topic, text) =>
    mosquitto ? `mosquitto_pub -p ${port} -q 1 -t ${topic} -m '${text}'` : `npx mqtt pub -h 127.0.0.1 -p ${port} -q 1 -t ${topic} -m '${text}'`;
  const lines = [
    '',
    `Swarmq: ${nodes.length} node${nodes.length === 1 ? '' : 's'} behind ${endpoint}`,
    '',
    ...nodes.map(({ id, pid, direct, admin }) => `  ${id}  direct ${direct}  admin ${admin}  pid ${pid}`),
    '',
    `  subscribe  ${sub('demo/#')}`,
    `  publish    ${pub('demo/hello', 'hello')}`,
    `  crash one  kill -9 ${nodes[0].pid}`,
    `  health     curl ${nodes[0].admin}/health/ready`,
  ];
  if (kafka !== null) {
    lines.push(`  to Kafka   ${pub('vehicles/WSX0EV1C1R0000001/telemetry', '{"speed": 48.3}')}`);
    lines.push(`  in Kafka   kcat -C -b ${kafka.brokers} -t ${rule.topic} -o beginning -f '%k: %s\\n'`);
  }
  return [...lines, '', `Logs: ${shown(folder)}/*.log   Ctrl-C stops everything.`].join('\n');
}

/** Ends what was started, the latest first. */
async function endAll() {
  for (const end of ends.splice(0).reverse()) await end();
}

/** Resolves with null at the first Ctrl-C; one more, when stopping takes too long, ends everything there and then. */
function untilInterrupted() {
  return new Promise((resolve) => {
    let firstAt = null;
    const on = () => {
      firstAt ??= performance.now();
      // npm passes on the signal that the terminal has sent to us as well
      if (performance.now() - firstAt > 1_000) process.exit(1);
      resolve(null);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, on);
  });
}

async function main() {
  const options = readOptions();
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const interrupted = untilInterrupted();
  const up = async () => {
    claimFolder();
    ensureNpm();
    if (!isFresh()) say('building');
    build();
    let redis = null;
    if (options.redisUrl === undefined) {
      say('starting Redis');
      redis = await startRedis({ dir: join(folder, 'redis'), logFile: join(folder, 'redis.log') });
      ends.push(() => redis.stop());
    }
    let kafka = null;
    if (options.withKafka) {
      say('starting Apache Kafka');
      kafka = await startKafka({ dir: join(folder, 'kafka'), port: await firstFree(9092), logFile: join(folder, 'kafka.log'), detached: true });
      ends.push(() => kafka.stop());
    }
    const port = await choosePort(options.port);
    say('starting the nodes');
    const cluster = await startNodes({ nodes: options.nodes, port, redisUrl: options.redisUrl ?? redis.url, kafka });
    console.log(describe(cluster, kafka));
    return Promise.race([
      cluster.exited.then((words) => `the nodes ended: ${words}; see ${shown(nodesLog)}`),
      ...(redis === null ? [] : [redis.exited.then((words) => `Redis ended: ${words}; see ${shown(folder)}/redis.log`)]),
    ]);
  };
  try {
    const mishap = await Promise.race([up(), interrupted]);
    if (mishap !== null) throw new Error(mishap);
    console.log('\nstopping');
    return 0;
  } finally {
    await endAll();
  }
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
