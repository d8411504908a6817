// Where Kafka runs: in the image apache/kafka where a docker engine runs, else as a process of our own on Maven Central's jars.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { startChild } from './child.mjs';
import { hasCommand, run, say } from './install.mjs';
import { ensureKafkaJars, kafkaVersion } from './kafka-jars.mjs';

const image = `apache/kafka:${kafkaVersion}`;
let hasImage;

/** Fetches what Kafka needs to run here. Gives whether it will run in its image. */
export function ensureKafka() {
  hasImage ??= findImage();
  if (!hasImage) ensureKafkaJars();
  return hasImage;
}

/**
 * Java with Kafka's classes: `jars` is where they lie, `run` waits for its end, `start` gives a server like `startChild`.
 * `folder` is the one folder that it shares with us.
 */
export function kafkaRuntime(folder) {
  return ensureKafka() ? inImage(folder) : { jars: ensureKafkaJars(), run: (java) => run('java', java), start: (java, options) => startChild('java', java, options) };
}

/** The network of the host, which the image needs to be like a process here, exists on Linux only. */
function findImage() {
  const succeeds = (...args) => spawnSync('docker', args, { stdio: 'ignore' }).status === 0;
  if (process.platform !== 'linux' || !hasCommand('docker') || !succeeds('info')) return false;
  if (succeeds('image', 'inspect', image)) return true;
  say(`fetching the image ${image}`);
  return succeeds('pull', image);
}

function inImage(folder) {
  const user = `${process.getuid()}:${process.getgid()}`;
  const shared = ['--network', 'host', '--user', user, '--volume', `${folder}:${folder}`, '--entrypoint', 'java'];
  return {
    jars: '/opt/kafka/libs',
    run: (java) => run('docker', ['run', '--rm', ...shared, image, ...java]),
    start(java, options) {
      const name = `swarmq-kafka-${randomBytes(4).toString('hex')}`;
      const client = startChild('docker', ['run', '--rm', '--name', name, ...shared, image, ...java], options);
      // killing the client would leave the container behind
      const kill = () => spawnSync('docker', ['kill', name], { stdio: 'ignore' });
      process.once('exit', kill);
      void client.exited.then(() => process.removeListener('exit', kill));
      return {
        exited: client.exited,
        get hasEnded() {
          return client.hasEnded;
        },
        /** Of Kafka itself, as this machine sees it. */
        get pid() {
          return Number(run('docker', ['inspect', '--format', '{{.State.Pid}}', name]));
        },
        async end(signal) {
          if (signal === 'SIGKILL') kill();
          else await client.end(signal);
          await client.exited;
        },
      };
    },
  };
}
