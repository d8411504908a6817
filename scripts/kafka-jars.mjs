// Apache Kafka as Maven Central's jars, copied once into a cache folder outside the work tree.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureCommands, run, say } from './install.mjs';

export const kafkaVersion = process.env.SWARMQ_KAFKA_VERSION ?? '4.3.1';

const oldestJava = 17;
const copyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

// slf4j-simple prints Kafka's log on standard error; Kafka itself brings only the interface
const project = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>swarmq</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;

/** The folder with Kafka's jars; fetches them, and Java and Maven too, where they are missing. */
export function ensureKafkaJars() {
  ensureCommands('java');
  const words = spawnSync('java', ['-version'], { encoding: 'utf8' }).stderr;
  const java = Number(/version "(\d+)/.exec(words)?.[1] ?? 0);
  if (java < oldestJava) throw new Error(`Kafka ${kafkaVersion} needs Java ${oldestJava} or newer, found ${java}: please install it`);

  const jars = join(homedir(), '.cache', 'swarmq', `kafka-${kafkaVersion}`);
  if (existsSync(jars)) return jars;
  ensureCommands('mvn');
  say(`fetching Apache Kafka ${kafkaVersion} from Maven Central`);
  mkdirSync(dirname(jars), { recursive: true });
  const partial = mkdtempSync(`${jars}-`);
  try {
    const pom = join(partial, 'pom.xml');
    writeFileSync(pom, project);
    run('mvn', ['--batch-mode', '--quiet', '--file', pom, copyPlugin, '-DincludeScope=runtime', `-DoutputDirectory=${partial}`]);
    // whole or not at all: another run may be doing the same
    if (!existsSync(jars)) renameSync(partial, jars);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return jars;
}
