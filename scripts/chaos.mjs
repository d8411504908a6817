// `npm run chaos`: makes sure of the npm packages, Redis and the build, then hands over to test/chaos/run.ts.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { ensureCommands, ensureNpm } from './install.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const args = process.argv.slice(2);

try {
  ensureNpm();
  if (!args.includes('--help')) {
    ensureCommands('redis-server');
    build();
  }
  const env = { ...process.env, SWARMQ_TEST_DIST: '1' };
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/chaos/run.ts', ...args], { cwd: root, stdio: 'inherit', env });
  // A Ctrl-C reaches both of us: the child ends what it started, and we end with the child.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
