// `npm test`: gets what the tests need, builds, then lint, types and every test folder; closes with one line of figures.
// `npm test -- unit protocol` runs these suites only.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, isFresh } from './build.mjs';
import { ensureCommands, ensureNpm, say } from './install.mjs';
import { ensureKafka } from './kafka-runtime.mjs';
import { ensurePaho } from './paho.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// a suite is a folder, or a folder in another form
const suites = ['unit', 'store', 'protocol', 'protocol-3', 'cluster', 'bridge', 'chaos'];
const forms = {
  'protocol-3': {
    folder: 'protocol',
    env: { SWARMQ_TEST_NODES: '3' },
    // by nature about one process: a broker in the test's own process, a command line, a listener, who may come in, one connection
    except: [
      ...['embedding-*', 'cli*', 'tls*', 'websocket*', 'auth-*', 'offer', 'redirect', 'connect-rate', 'sys-topics'],
      ...['bad-input', 'bounds', 'connect-payload', 'farewell', 'fixed-header', 'keep-alive', 'payload-format', 'response-information'],
    ],
  },
};
const needKafka = ['bridge', 'chaos'];
const needPaho = ['protocol', 'protocol-3'];
const folderLimitMs = 15 * 60_000;
// a run that has told its figures has nothing left to do but to end
const endLimitMs = 20_000;
const isCi = Boolean(process.env.CI);

const running = new Set();

/** Runs a Node script in a process group of its own, so that nothing it started outlives it. */
function runNode(args, limitMs, env = {}, onMessage = () => {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, SWARMQ_TEST_DIST: '1', ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      detached: true,
    });
    let complaint = null;
    const giveUp = (words) => () => {
      complaint = words;
      killGroup(child);
    };
    let timer = setTimeout(giveUp(`still running after ${limitMs / 60_000} minutes`), limitMs);
    child.on('message', (message) => {
      onMessage(message);
      clearTimeout(timer);
      timer = setTimeout(giveUp('all tests ended, but the process did not: something it opened is still open'), endLimitMs);
    });
    running.add(child);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      killGroup(child);
      resolve({ code, complaint: complaint ?? (signal === null ? null : `ended by ${signal}`) });
    });
  });
}

function killGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // the group is empty
  }
}

async function runCheck(name, args) {
  const { code, complaint } = await runNode(args, folderLimitMs);
  if (complaint !== null) console.log(`${name}: ${complaint}`);
  return code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

async function runSuite(name) {
  const { folder = name, env = {}, except = [] } = forms[name] ?? {};
  const mocha = join(root, 'node_modules/mocha/lib/cli/cli.js');
  const files = join('test', folder, '**/*.test.ts');
  const left = except.flatMap((file) => ['--ignore', join('test', folder, `${file}.test.ts`)]);
  const options = ['--reporter', join(root, 'scripts/tally.cjs'), ...(isCi ? ['--forbid-only'] : []), ...left];
  let figures = null;
  const { code, complaint } = await runNode(['--import', 'tsx', mocha, ...options, files], folderLimitMs, env, (message) => {
    figures = message;
  });
  const { passed = 0, failed = 0, skipped = 0 } = figures ?? {};
  const problem = complaint ?? (figures === null || (code !== 0 && failed === 0) ? `Mocha ended with exit code ${code}` : null);
  if (problem !== null) console.log(`\n${name}: ${problem}`);
  if (isCi && skipped > 0) console.log(`\n${name}: ${skipped} skipped, which counts as failed where CI is set`);
  return {
    passed,
    failed: failed + (problem === null ? 0 : 1) + (isCi ? skipped : 0),
    skipped: isCi ? 0 : skipped,
  };
}

async function step(name, work) {
  console.log(`\n== ${name}`);
  const startedAt = performance.now();
  const figures = await work();
  return { name, seconds: Math.round((performance.now() - startedAt) / 1_000), ...figures };
}

function wordsOf({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

async function main() {
  const chosen = process.argv.slice(2);
  const unknown = chosen.filter((name) => !suites.includes(name));
  if (unknown.length > 0) throw new Error(`no test suite ${unknown.join(', ')}; there are ${suites.join(', ')}`);
  const wanted = suites.filter((name) => chosen.length === 0 || chosen.includes(name));

  ensureNpm();
  ensureCommands('redis-server', 'mosquitto', 'mosquitto_pub', 'mosquitto_sub', 'kcat', 'haproxy', 'openssl');
  if (wanted.some((name) => needKafka.includes(name))) ensureKafka();
  if (wanted.some((name) => needPaho.includes(name))) ensurePaho();
  if (!isFresh()) say('building');
  build();

  const results = [];
  if (chosen.length === 0) {
    const bin = (path) => join(root, 'node_modules', path);
    results.push(await step('lint', () => runCheck('lint', [bin('eslint/bin/eslint.js'), '.'])));
    results.push(await step('types', () => runCheck('types', [bin('typescript/bin/tsc'), '--noEmit', '-p', 'test/tsconfig.json'])));
  }
  for (const name of wanted) results.push(await step(name, () => runSuite(name)));

  console.log('\n== all');
  for (const { name, seconds, ...figures } of results) console.log(`${name.padEnd(10)} ${wordsOf(figures)} (${seconds} s)`);
  const sum = (field) => results.reduce((total, result) => total + result[field], 0);
  const total = { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
  console.log(wordsOf(total));
  return total.failed === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const child of running) killGroup(child);
    process.exit(1);
  });
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error.message);
    console.log('0 passed, 1 failed, 0 skipped');
    process.exit(1);
  },
);
