// Compiles src and cluster into dist, and puts the Lua scripts beside the JavaScript that loads them.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const stamp = join(dist, '.built');
const sources = ['src', 'cluster'];

function entriesIn(folder) {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
}

function filesIn(folder) {
  return entriesIn(folder)
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Whether dist holds what src and cluster hold now. */
export function isFresh() {
  const built = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // folders too: theirs is the time that changes when a file is removed
  const inputs = sources.flatMap((name) => {
    const folder = join(root, name);
    return [folder, ...entriesIn(folder).map((entry) => join(entry.parentPath, entry.name))];
  });
  return [join(root, 'tsconfig.json'), ...inputs].every((path) => statSync(path).mtimeMs <= built);
}

/** Compiles what changed, unless dist is fresh. Throws with the compiler's words when it finds faults. */
export function build() {
  if (isFresh()) return;
  // a file saved while the compiler runs belongs to the next build
  const startedAt = new Date();
  rmSync(stamp, { force: true });
  removeOrphans();
  for (const script of sources.flatMap((name) => filesIn(join(root, name))).filter((path) => path.endsWith('.lua'))) {
    const copy = join(dist, relative(root, script));
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(script, copy);
  }
  compile();
  const command = join(dist, 'src/cli/main.js');
  if (existsSync(command)) chmodSync(command, 0o755);
  writeFileSync(stamp, '');
  utimesSync(stamp, startedAt, startedAt);
}

/** Deletes the output of sources that are gone: the compiler would leave it, and it would be shipped. */
function removeOrphans() {
  for (const output of sources.flatMap((name) => filesIn(join(dist, name)))) {
    const source = join(root, relative(dist, output)).replace(/\.(js|js\.map|d\.ts)$/, '.ts');
    if (!existsSync(source)) rmSync(output);
  }
}

function compile() {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const options = ['-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', join(dist, '.tsbuildinfo')];
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, ...options], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build failed\n${stdout}${stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    build();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
