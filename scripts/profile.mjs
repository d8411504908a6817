// `npm run profile -- CASE`: makes sure of the npm packages and the build, then hands over to bench/profile.ts.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { ensureNpm } from './install.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
try {
  ensureNpm();
  build();
  const args = ['--import', 'tsx', 'bench/profile.ts', ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
