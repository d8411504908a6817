// Java programs as Maven Central's jars, copied once into a cache folder outside the work tree.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureCommands, run, say } from './install.mjs';

const oldestJava = 17;
const copyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Where the jars of a program lie, or will. */
export function jarsFolder(name, version) {
  return join(homedir(), '.cache', 'swarmq', `${name}-${version}`);
}

/**
 * The folder with the jars of a program and all they need: `dependencies` are `group:artifact:version`. Fetches them, and Java and
 * Maven too, where they are missing; `finish` may add to the folder before anybody sees it.
 */
export function ensureJars(name, version, dependencies, finish = () => {}) {
  ensureCommands('java');
  const words = spawnSync('java', ['-version'], { encoding: 'utf8' }).stderr;
  const java = Number(/version "(\d+)/.exec(words)?.[1] ?? 0);
  if (java < oldestJava) throw new Error(`${name} ${version} needs Java ${oldestJava} or newer, found ${java}: please install it`);

  const jars = jarsFolder(name, version);
  if (existsSync(jars)) return jars;
  ensureCommands('mvn');
  say(`fetching ${name} ${version} from Maven Central`);
  mkdirSync(dirname(jars), { recursive: true });
  const partial = mkdtempSync(`${jars}-`);
  try {
    const pom = join(partial, 'pom.xml');
    writeFileSync(pom, projectOf(name, dependencies));
    run('mvn', ['--batch-mode', '--quiet', '--file', pom, copyPlugin, '-DincludeScope=runtime', `-DoutputDirectory=${partial}`]);
    finish(partial);
    // whole or not at all: another run may be doing the same
    if (!existsSync(jars)) renameSync(partial, jars);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return jars;
}

function projectOf(name, dependencies) {
  const entries = dependencies.map((coordinates) => {
    const [group, artifact, version] = coordinates.split(':');
    return `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>swarmq</groupId>
  <artifactId>${name}-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
${entries.join('\n')}
  </dependencies>
</project>
`;
}
