// Brokers of other makers for the benchmark, from the registries of their languages, kept in a cache folder outside the work tree.
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCommand, run, say } from './install.mjs';
import { ensureJars, jarsFolder } from './maven-jars.mjs';

export const hivemqVersion = '2025.5';
export const mochiVersion = '2.7.9';

/** HiveMQ CE's jars, and the class that starts it among them. */
export const hivemqFolder = jarsFolder('hivemq', hivemqVersion);
/** Mochi MQTT's own command. */
export const mochiFile = join(homedir(), '.cache', 'swarmq', `mochi-${mochiVersion}`, 'mochi');

const hivemqNode = fileURLToPath(new URL('../bench/servers/HiveMqNode.java', import.meta.url));

/** Needs Java with its compiler, and Maven. */
export function ensureHiveMq() {
  if (!hasCommand('javac')) throw new Error('HiveMQ needs a Java compiler: apt-get install default-jdk-headless');
  ensureJars('hivemq', hivemqVersion, [`com.hivemq:hivemq-community-edition-embedded:${hivemqVersion}`], (folder) => {
    run('javac', ['-cp', join(folder, '*'), '-d', folder, hivemqNode]);
  });
}

/** Needs Go. */
export function ensureMochi() {
  if (existsSync(mochiFile)) return;
  if (!hasCommand('go')) throw new Error('Mochi needs Go: see https://go.dev/dl');
  say(`building Mochi MQTT ${mochiVersion}`);
  const folder = dirname(mochiFile);
  mkdirSync(folder, { recursive: true });
  run('go', ['install', `github.com/mochi-mqtt/server/v2/cmd@v${mochiVersion}`], { env: { ...process.env, GOBIN: folder } });
  renameSync(join(folder, 'cmd'), mochiFile);
}
