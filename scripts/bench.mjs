// `npm run bench`: makes sure of the npm packages, the peers and the build, then hands over to bench/run.ts.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { ensureCommands, ensureNpm, say } from './install.mjs';
import { ensureHiveMq, ensureMochi } from './peers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const args = process.argv.slice(2);
const peers = /--peers[= ](\S+)/.exec(args.join(' '))?.[1];
const isMeasuring = !args.includes('--report') && !args.includes('--help');
const isNamed = (name) => peers?.includes(name) ?? false;
/** As bench/run.ts chooses when nobody is named. */
const isUsual = peers === undefined && !args.includes('--quick');

try {
  ensureNpm();
  if (isMeasuring) prepare();
  await bench();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

function prepare() {
  const needs = [() => ensureCommands('redis-server', 'mosquitto')];
  if (isUsual || isNamed('hivemq')) needs.push(ensureHiveMq);
  if (isUsual || isNamed('mochi')) needs.push(ensureMochi);
  for (const ensure of needs) {
    try {
      ensure();
    } catch (error) {
      // the peers that need it are left out
      say(error.message);
    }
  }
  if (peers === undefined || isNamed('swarmq')) build();
}

async function bench() {
  const child = spawn(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...args], { cwd: root, stdio: 'inherit' });
  // A Ctrl-C reaches both of us: the child ends its servers, and we end with the child.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
