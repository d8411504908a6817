import assert from 'node:assert/strict';
import { caseResult } from '../../bench/case-result.ts';
import { median, medianFigures, ratio, type Figures } from '../../bench/figures.ts';
import { cpuTicks, slowestMsIn } from '../../bench/meter.ts';
import { withGenerated } from '../../bench/report.ts';
import type { Round } from '../../bench/round.ts';
import { scenarios } from '../../bench/scenarios/all.ts';
import { growths } from '../../bench/scenarios/growth.ts';
import { p2pQos0 } from '../../bench/scenarios/p2p-qos0.ts';
import type { PeerName } from '../../bench/servers/peer.ts';
import { peers } from '../../bench/servers/peers.ts';
import { asLines, asMarkdown, figureText, goalLine, tableOf } from '../../bench/table.ts';

const nothing: Figures = {
  perSecond: 0, cpuMicros: 0, brokerMicros: 0, redisMicros: 0, p50Ms: null, p99Ms: null, p999Ms: null, brokerMiB: 0,
  brokerGrowthMiB: 0, brokerKiBEach: 0, redisMiB: 0, redisSlowestMs: null, storedKiBEach: null, redisCommandsEach: 0, loadMicros: 0, loadShare: 0, matchMicros: null,
};

function cpu(...values: number[]): Figures[] {
  return values.map((cpuMicros) => ({ ...nothing, cpuMicros }));
}

function round(cpuMicros: number, fault: string | null = null): Round {
  return { figures: { ...nothing, cpuMicros }, redisCommands: {}, pacerP99Ms: null, fault };
}

describe('the arithmetic of the benchmark', () => {
  it('finds the longest command in what Redis tells of slow ones', () => {
    const entry = (micros: number): string => `*6\r\n:7\r\n:1790000000\r\n:${micros}\r\n*2\r\n$3\r\nGET\r\n$4\r\n:999\r\n$15\r\n127.0.0.1:40000\r\n$0\r\n\r\n`;
    assert.equal(slowestMsIn('*0\r\n+OK\r\n'), 0);
    assert.equal(slowestMsIn(`*3\r\n${entry(1200)}${entry(4700)}${entry(1100)}+OK\r\n`), 4.7);
  });

  it('takes the middle value, or the mean of the two in the middle', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.throws(() => median([]), RangeError);
  });

  it('takes the median of each figure by itself, and none where a round lacks it', () => {
    const rounds = [{ ...nothing, perSecond: 1, p99Ms: 5 }, { ...nothing, perSecond: 9, p99Ms: null }, { ...nothing, perSecond: 2, p99Ms: 7 }];
    const { perSecond, p99Ms } = medianFigures(rounds);
    assert.deepEqual([perSecond, p99Ms], [2, null]);
  });

  it('compares within each round, so that a disturbed round disturbs both sides', () => {
    assert.equal(ratio('cpuMicros', cpu(1, 10, 1), cpu(4, 40, 4)), 0.25);
    assert.equal(ratio('cpuMicros', cpu(1, 2, 3), cpu(10, 10, 10)), 0.2);
  });

  it('leaves out a round that one side did not finish or has nothing to divide by', () => {
    assert.equal(ratio('cpuMicros', [...cpu(1), null, ...cpu(5)], cpu(2, 2, 0)), 0.5);
    assert.equal(ratio('cpuMicros', [null], cpu(2)), null);
    assert.equal(ratio('p99Ms', cpu(1), cpu(1)), null);
  });

  it('reads user and system time of a process whose name has spaces and parentheses', () => {
    const fields = ['S', ...Array.from({ length: 10 }, () => '9'), '120', '30', '7', '7'];
    assert.equal(cpuTicks(`4242 (a) b (c)) ${fields.join(' ')}`), 150);
  });
});

describe('the result of a case', () => {
  const result = caseResult(p2pQos0, new Map([
    [peers.mosquitto, [round(10), round(12), round(11)]],
    [peers.swarmq, [round(2), round(3), round(2.2, '3 lost')]],
  ]), []);

  it('judges the goals whose peers took part, by ratio', () => {
    assert.equal(result.goals.length, 1);
    assert.deepEqual([result.goals[0]!.value, result.goals[0]!.isReached], [0.2, true]);
    assert.equal(goalLine(result.goals[0]!), 'swarmq / mosquitto: CPU us 0.2, to reach at most 0.25: reached');
  });

  it('is compared with the same peer in an earlier case', () => {
    const first = growths[0]!;
    const later = growths.find(({ goals }) => goals.length > 0)!;
    const earlier = caseResult(first, new Map([[peers.swarmq, [round(10), round(12)]]]), []);
    const { goals } = caseResult(later, new Map([[peers.swarmq, [round(12), round(12)]]]), [earlier]);
    assert.deepEqual(goals.map(({ value, isReached }) => [value, isReached]), [[1.1, true]]);
    assert.equal(goalLine(goals[0]!), 'swarmq / the same in growth-qos0-100: CPU us 1.1, to reach at most 1.5: reached');
    assert.deepEqual(caseResult(later, new Map([[peers.swarmq, [round(12)]]]), []).goals, []);
  });

  it('is shown with a ratio to each reference and a mark on a peer with faults', () => {
    const table = tableOf(result);
    assert.deepEqual(table, [['', 'CPU us', '/ mosquitto'], ['mosquitto', '11', ''], ['swarmq (!)', '2.2', '0.2']]);
    assert.equal(new Set(asLines(table).map((line) => line.length)).size, 1);
    assert.equal(asMarkdown(table)[1], '|---|---:|---:|');
  });

  it('is shown with three digits that matter', () => {
    assert.deepEqual([0, 0.1234, 1.234, 12.34, 123.4, 1234.5, 123_456, -0.5].map(figureText), [
      '0', '0.123', '1.23', '12.3', '123', '1,235', '123,456', '-0.5',
    ]);
    assert.equal(figureText(null), '-');
  });

  it('goes between the marks of the page and leaves the rest of it alone', () => {
    const page = 'before\n<!-- begin generated by npm run bench -- --report -->\nold\n<!-- end generated -->\nafter\n';
    const written = withGenerated(page, 'new');
    assert.match(written, /^before\n<!-- begin [^\n]+\n\nnew\n\n<!-- end generated -->\nafter\n$/);
    assert.equal(withGenerated(written, 'new'), written);
    assert.throws(() => withGenerated('no marks', 'new'), /lacks its marks/);
  });
});

/** Who takes part in a case, when that comes before another one. */
function earlierTakers(before: string, name: string): readonly PeerName[] {
  return scenarios.slice(0, scenarios.findIndex((one) => one.name === before)).find((one) => one.name === name)?.peers ?? [];
}

describe('the cases of the benchmark', () => {
  it('have names of their own and goals among their own peers', () => {
    assert.equal(new Set(scenarios.map(({ name }) => name)).size, scenarios.length);
    for (const { name, peers: taking, goals } of scenarios) {
      for (const goal of goals) {
        const { of, to } = goal;
        if (to === null) assert.ok(taking.includes(of), `${name}: ${of}`);
        else if (typeof to === 'string') assert.ok(taking.includes(of) && taking.includes(to), `${name}: ${of} / ${to}`);
        else assert.ok(earlierTakers(name, to.case).includes(of), `${name}: ${of} / the same in ${to.case}`);
      }
    }
  });

  it('send the same number of messages from each publisher of a backlog', () => {
    for (const scenario of scenarios) {
      if (!('plan' in scenario)) continue;
      const plan = scenario.plan('full');
      if (plan.kind === 'backlog') assert.equal(plan.messages % plan.publishers, 0);
    }
  });
});
