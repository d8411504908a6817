// A real Apache Kafka (KRaft, one node) for tests and first tries: `node scripts/kafka.mjs [--port 9092] [--dir DIR]`.
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kafkaVersion } from './kafka-jars.mjs';
import { kafkaRuntime } from './kafka-runtime.mjs';
import { freePort } from './ports.mjs';

const readyWithinMs = 60_000;

/**
 * Starts Kafka and resolves once it answers a metadata request. A folder used before goes on with its topics.
 * Without `port` and `dir` they are chosen, and the folder is removed when Kafka has ended.
 * Its log goes to `logFile`, or else to kafka.log in the folder. `detached` keeps the signals of the terminal from it,
 * so that the caller decides what ends when. With `security` a second listener asks for TLS, a client certificate and SASL.
 */
export async function startKafka({ port, dir, logFile, detached = false, security } = {}) {
  const folder = dir ?? mkdtempSync(join(tmpdir(), 'swarmq-kafka-'));
  const runtime = kafkaRuntime(folder);
  const clientPort = port ?? (await freePort());
  const securedPort = security === undefined ? 0 : await freePort();
  const settings = writeSettings(folder, clientPort, await freePort(), security === undefined ? {} : securedListener(securedPort, folder, security));
  format(runtime, folder, settings, security);

  const logPath = logFile ?? join(folder, 'kafka.log');
  const log = openSync(logPath, 'a');
  const heap = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC'];
  const java = [...heap, ...javaOptions(runtime.jars), 'kafka.Kafka', settings];
  const server = runtime.start(java, { stdio: ['ignore', log, log], detached });
  closeSync(log);
  const exited = server.exited.then(() => {
    if (dir === undefined) rmSync(folder, { recursive: true, force: true });
  });
  const end = async (signal) => {
    await server.end(signal);
    await exited;
  };

  const deadline = performance.now() + readyWithinMs;
  while (!(await answersMetadata(clientPort))) {
    if (server.hasEnded || performance.now() > deadline) {
      const words = existsSync(logPath) ? readFileSync(logPath, 'utf8').slice(-4_000) : '';
      await end('SIGKILL');
      throw new Error(`Kafka ${kafkaVersion} did not get ready on port ${clientPort}\n${words}`);
    }
    await wait(100);
  }
  return {
    brokers: `127.0.0.1:${clientPort}`,
    securedBrokers: security === undefined ? '' : `127.0.0.1:${securedPort}`,
    port: clientPort,
    pid: server.pid,
    exited,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

function javaOptions(jars) {
  return ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.showDateTime=true', '-cp', join(jars, '*')];
}

/** What the second listener adds to the settings; the first one stays as it is. */
function securedListener(port, folder, { certFile, keyFile, caFile, username, password }) {
  const keyStore = join(folder, 'keystore.pem');
  mkdirSync(folder, { recursive: true });
  writeFileSync(keyStore, readFileSync(keyFile, 'utf8') + readFileSync(certFile, 'utf8'), { mode: 0o600 });
  const modules = 'org.apache.kafka.common.security';
  const own = {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keyStore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': caFile,
    'ssl.client.auth': 'required',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required user_${username}="${password}";`,
    'scram-sha-256.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
    'scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
    // takes tokens that nobody signed: Kafka's own validator for trials
    'oauthbearer.sasl.jaas.config': `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="kafka";`,
  };
  return { port, settings: Object.fromEntries(Object.entries(own).map(([name, value]) => [`listener.name.secured.${name}`, value])) };
}

function writeSettings(folder, clientPort, controllerPort, { port: securedPort, settings: more = {} }) {
  const secured = securedPort === undefined ? '' : `,SECURED://127.0.0.1:${securedPort}`;
  const settings = {
    ...more,
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${clientPort},CONTROLLER://127.0.0.1:${controllerPort}${secured}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${clientPort}${secured}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folder, 'data'),
    // several, so that order per key is not order by accident
    'num.partitions': 4,
    'auto.create.topics.enable': true,
    // one node has one copy, and nobody else to wait for
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // a killed Kafka is let in again when its former life has expired: 9 s without this
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
  };
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'server.properties');
  writeFileSync(file, Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join(''));
  return file;
}

function format(runtime, folder, settings, security) {
  if (existsSync(join(folder, 'data', 'meta.properties'))) return;
  const clusterId = randomBytes(16).toString('base64url');
  const java = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...javaOptions(runtime.jars)];
  const users = security === undefined ? [] : ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => ['--add-scram', `${mechanism}=[name="${security.username}",password="${security.password}"]`]);
  runtime.run([...java, 'kafka.tools.StorageTool', 'format', '--cluster-id', clusterId, '--config', settings, ...users]);
}

/** Whether a Metadata request (key 3, version 1, no topics) gets an answer that names a broker. */
function answersMetadata(port) {
  const request = Buffer.alloc(18);
  request.writeInt32BE(14, 0); // bytes that follow
  request.writeInt16BE(3, 4); // key
  request.writeInt16BE(1, 6); // version
  request.writeInt32BE(1, 8); // correlation
  request.writeInt16BE(-1, 12); // no client id
  request.writeInt32BE(0, 14); // no topics
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(request));
    const finish = (isReady) => {
      socket.destroy();
      resolve(isReady);
    };
    socket.setTimeout(2_000, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
    socket.on('data', (bytes) => {
      answer = Buffer.concat([answer, bytes]);
      if (answer.length >= 12) finish(answer.readInt32BE(8) > 0);
    });
  });
}

async function main() {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '9092' }, dir: { type: 'string' } } });
  const kafka = await startKafka({ port: Number(values.port), dir: values.dir, detached: true });
  console.log(`Apache Kafka ${kafkaVersion} on ${kafka.brokers} (pid ${kafka.pid}), Ctrl-C stops it`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => kafka.stop());
  await kafka.exited;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
