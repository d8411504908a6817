import { faultsOf, type CaseResult, type PeerResult } from './case-result.ts';
import type { FigureName } from './figures.ts';
import { figureText } from './table.ts';

const width = 760;
const labelWidth = 110;
const valueWidth = 175;
const barHeight = 16;
const rowHeight = 22;
const titleHeight = 34;
const padding = 16;

/** What a figure says in the chart; the others are not drawn. */
const captions: Partial<Record<FigureName, string>> = {
  cpuMicros: 'us of CPU per',
  p99Ms: 'ms to delivery, p99, per',
  brokerKiBEach: 'KiB of memory per',
};

const style = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .unit { fill: #57606a }
  .other { fill: #8c959f } .ours { fill: #1f883d } .redis { fill: #cf6f5b }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .unit { fill: #9198a1 } .other { fill: #656c76 } .ours { fill: #3fb950 } }
`;

/** One group of bars for each case, each with its own scale: shorter is better. */
export function chartOf(cases: readonly CaseResult[]): string {
  const parts: string[] = [];
  let y = padding;
  for (const result of cases) {
    const caption = captions[result.figure];
    const bars = result.peers.filter((peer) => peer.median !== null && faultsOf(peer).length === 0);
    if (caption === undefined || bars.length === 0) continue;
    const { name, unit } = result;
    parts.push(`<text x="${padding}" y="${y + 14}"><tspan class="title">${escape(name)}</tspan> <tspan class="unit">${caption} ${unit}</tspan></text>`);
    y += titleHeight - 8;
    const longest = Math.max(...bars.map((peer) => peer.median![result.figure] ?? 0));
    for (const peer of bars) {
      parts.push(...barOf(peer, result.figure, longest, y));
      y += rowHeight;
    }
    y += titleHeight - rowHeight;
  }
  const size = `width="${width}" height="${y + padding}" viewBox="0 0 ${width} ${y + padding}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="Swarmq and its peers; shorter is better">\n`
    + `<style>${style}</style>\n${parts.join('\n')}\n</svg>\n`;
}

function barOf(peer: PeerResult, figure: FigureName, longest: number, y: number): string[] {
  const value = peer.median![figure] ?? 0;
  const scale = longest === 0 ? 0 : (width - 2 * padding - labelWidth - valueWidth) / longest;
  // Redis's share is a part of the bar of its own where the bar is CPU.
  const redis = figure === 'cpuMicros' ? peer.median!.redisMicros : 0;
  const x = padding + labelWidth;
  const ownWidth = (value - redis) * scale;
  const kind = peer.name.startsWith('swarmq') ? 'ours' : 'other';
  const rect = (from: number, long: number, name: string): string =>
    `<rect class="${name}" x="${from.toFixed(1)}" y="${y}" width="${Math.max(long, 1).toFixed(1)}" height="${barHeight}"/>`;
  const text = redis > 0 ? `${figureText(value)}, Redis ${figureText(redis)} of it` : figureText(value);
  return [
    `<text x="${x - 8}" y="${y + 12}" text-anchor="end">${escape(peer.name)}</text>`,
    rect(x, ownWidth, kind),
    ...(redis > 0 ? [rect(x + ownWidth, redis * scale, 'redis')] : []),
    `<text x="${(x + value * scale + 6).toFixed(1)}" y="${y + 12}">${text}</text>`,
  ];
}

function escape(text: string): string {
  return text.replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
