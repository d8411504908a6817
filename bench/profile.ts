import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { flameGraph, framesOf, hottest, type CpuProfile } from './flame.ts';
import { withLoad } from './round.ts';
import { scenarios } from './scenarios/all.ts';
import type { LoadScenario } from './scenarios/scenario.ts';
import { peers } from './servers/peers.ts';

const usage = `npm run profile -- CASE [options]

  --peer NAME   whose (swarmq, or swarmq-redis where the case needs it; aedes and stock can be profiled too)
  --full        as long as in a full run of the benchmark
  --out FILE    where the flame graph goes (bench/results/CASE-PEER.svg; a number is added for further processes)

Cases: ${scenarios.filter((scenario) => 'plan' in scenario).map(({ name }) => name).join(' ')}
`;
const sampleMicros = 200;
const told = 25;

/** Runs a case once under Node's profiler, and draws what its processes did while it was measured. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { peer: { type: 'string' }, full: { type: 'boolean', default: false }, out: { type: 'string' }, help: { type: 'boolean', default: false } },
  });
  const scenario = scenarios.find((one): one is LoadScenario => 'plan' in one && one.name === positionals[0]);
  if (scenario === undefined || values.help) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const peer = peers[(values.peer ?? scenario.peers.find((name) => name.startsWith('swarmq'))) as keyof typeof peers];
  if (peer === undefined || peer.name === 'mosquitto') throw new Error(`${values.peer ?? 'no peer'} does not run on Node`);
  const out = resolve(values.out ?? `bench/results/${scenario.name}-${peer.name}.svg`);

  const directory = mkdtempSync(join(tmpdir(), 'swarmq-profile-'));
  try {
    const nodeArgs = ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${sampleMicros}`];
    const options = { mode: values.full ? 'full' : 'quick', appendOnly: false, nodeArgs } as const;
    const { from, to, units } = await withLoad(scenario, peer, options, async (_, load) => {
      const startedAt = monotonicMicros();
      const { units } = await load.measure();
      return { from: startedAt, to: monotonicMicros(), units };
    });
    const files = readdirSync(directory).sort();
    if (files.length === 0) throw new Error('the broker wrote no profile: it did not end by itself');
    mkdirSync(dirname(out), { recursive: true });
    files.forEach((file, index) => {
      const frames = framesOf(JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile, from, to);
      if (frames.micros === 0) return;
      const title = `${scenario.name}, ${peer.name}: ${units} units, ${(frames.micros / units).toFixed(2)} us each in this process`;
      const path = index === 0 ? out : out.replace(/(\.svg)?$/, `-${index + 1}.svg`);
      writeFileSync(path, flameGraph(frames, title, units));
      console.log(`\n${title}\n`);
      for (const [name, micros] of hottest(frames, told)) {
        console.log(`${(micros / units).toFixed(3).padStart(9)} us ${((micros / frames.micros) * 100).toFixed(1).padStart(5)} %  ${name}`);
      }
      console.log(`\n${path}`);
    });
    return 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

process.exitCode = await main();
