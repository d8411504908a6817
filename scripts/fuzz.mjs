// `npm run fuzz -- --packets 1000000 --seed 7`: the fuzz tests of `npm test` with more packets, on the codec, on one node with each store,
// and on three nodes. A failure prints the seed that runs the conversation that failed alone.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { ensureCommands, ensureNpm } from './install.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const runs = [
  ['test/unit/codec-fuzz.test.ts', '1'],
  ['test/protocol/fuzz.test.ts', '1'],
  ['test/protocol/fuzz.test.ts', '3'],
];

function numberOf(name, text) {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} ${text}: a whole number, please`);
  return value;
}

function main() {
  const { values } = parseArgs({ options: { packets: { type: 'string', default: '1000000' }, seed: { type: 'string' } } });
  const packets = numberOf('packets', values.packets);
  const seed = numberOf('seed', values.seed ?? Date.now() % 0x100000000);
  ensureNpm();
  ensureCommands('redis-server');
  build();
  console.log(`${packets} packets from seed ${seed}`);
  const failed = runs.filter(([file, nodes]) => {
    const env = { ...process.env, SWARMQ_TEST_DIST: '1', SWARMQ_FUZZ_PACKETS: String(packets), SWARMQ_FUZZ_SEED: String(seed), SWARMQ_TEST_NODES: nodes };
    return spawnSync(process.execPath, [join(root, 'node_modules/mocha/bin/mocha.js'), file], { cwd: root, env, stdio: 'inherit' }).status !== 0;
  });
  return failed.length === 0 ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
