// Gets what a fresh machine lacks: npm packages, and programs of the distribution where we may install them.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, lstatSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

// Debian keeps servers here, and leaves it out of the PATH of ordinary users
process.env.PATH = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);

/** Command -> the Debian package that brings it. */
const packages = {
  'redis-server': 'redis-server',
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
  kcat: 'kcat',
  haproxy: 'haproxy',
  openssl: 'openssl',
  java: 'default-jre-headless',
  mvn: 'maven',
  python3: 'python3',
  pip3: 'python3-pip',
};

/** The packages above that bring a system service with them. */
const services = ['redis-server', 'mosquitto', 'haproxy'];

/** One calm line about what takes a while. */
export function say(text) {
  console.log(`- ${text}`);
}

export function hasCommand(command) {
  return process.env.PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a command to its end and gives its standard output; throws with all it said when it fails. */
export function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  if (error) throw new Error(`${command}: ${error.message}`);
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')} failed\n${stdout}${stderr}`);
  return stdout;
}

/** `npm ci`, unless node_modules is at least as new as the lock file, or a link to where somebody else keeps it. */
export function ensureNpm() {
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const changedAt = (path) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (changedAt('node_modules/.package-lock.json') >= changedAt('package-lock.json')) return;
  say('installing the npm packages (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund']);
}

/**
 * Makes sure that each command is on the PATH: with apt-get when we are root on a Debian, else it throws and says what
 * to install by hand. System services that come along are neither started now nor at the next boot.
 */
export function ensureCommands(...commands) {
  const missing = commands.filter((command) => !hasCommand(command));
  if (missing.length === 0) return;
  const wanted = [...new Set(missing.map((command) => packages[command]))];
  if (process.getuid?.() !== 0 || !hasCommand('apt-get')) {
    const reason = hasCommand('apt-get') ? 'this needs root' : 'no apt-get here';
    throw new Error(
      `not found: ${missing.join(', ')}; ${reason}, so please install by hand. ` +
        `On Debian or Ubuntu: sudo apt-get install ${wanted.join(' ')}`,
    );
  }
  say(`installing ${wanted.join(', ')} (apt-get)`);
  installDebian(wanted);
  const still = missing.filter((command) => !hasCommand(command));
  if (still.length > 0) throw new Error(`${wanted.join(', ')} installed, but not found: ${still.join(', ')}`);
}

function installDebian(wanted) {
  // Debian starts a service as it installs it, unless this file forbids it. It forbids nothing to anybody else, so that
  // it does no harm should we be killed before removing it.
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\ntest -z "$SWARMQ_INSTALLS" || exit 101\n', { mode: 0o755 });
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', SWARMQ_INSTALLS: '1' };
  try {
    run('apt-get', ['update', '-q'], { env });
    run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...wanted], { env });
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
  const newServices = wanted.filter((name) => services.includes(name));
  if (newServices.length > 0 && existsSync('/run/systemd/system')) run('systemctl', ['disable', '--quiet', ...newServices]);
}
