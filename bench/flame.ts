/** What `node --cpu-prof` writes, as far as it is used here. Times are in us, on the machine's monotonic clock. */
export interface CpuProfile {
  nodes: ProfileNode[];
  startTime: number;
  samples: number[];
  /** From the sample before (the first one: from `startTime`) to this one. */
  timeDeltas: number[];
}

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

/** A function as it was called from one place, and what it took with all that it called. */
export interface Frame {
  name: string;
  micros: number;
  children: Map<string, Frame>;
}

const notWork = new Set(['(idle)', '(root)']);
const width = 1600;
const rowHeight = 17;
const narrowest = 0.4;
const letterWidth = 6.6;
const headHeight = 30;

/** The calls of a profile between two moments, merged by name; idle time is left out. */
export function framesOf(profile: CpuProfile, fromMicros: number, toMicros: number): Frame {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const pathOf = (id: number): string[] => {
    const parent = parents.get(id);
    return parent === undefined ? [] : [...pathOf(parent), nameOf(byId.get(id)!)];
  };
  const root: Frame = { name: 'all', micros: 0, children: new Map() };
  const microsOf = new Map<number, number>();
  let now = profile.startTime;
  for (let i = 0; i < profile.samples.length; i++) {
    // a sample says where the time until the next one went
    now += profile.timeDeltas[i]!;
    const micros = profile.timeDeltas[i + 1] ?? 0;
    const id = profile.samples[i]!;
    if (now >= fromMicros && now < toMicros && !notWork.has(byId.get(id)!.callFrame.functionName)) microsOf.set(id, (microsOf.get(id) ?? 0) + micros);
  }
  for (const [id, micros] of microsOf) {
    let frame = root;
    frame.micros += micros;
    for (const name of pathOf(id)) {
      let child = frame.children.get(name);
      if (child === undefined) frame.children.set(name, (child = { name, micros: 0, children: new Map() }));
      frame = child;
      frame.micros += micros;
    }
  }
  return root;
}

/** The functions that took most by themselves: name, and us without what they called. */
export function hottest(root: Frame, count: number): [name: string, micros: number][] {
  const own = new Map<string, number>();
  const visit = (frame: Frame): void => {
    let micros = frame.micros;
    for (const child of frame.children.values()) {
      micros -= child.micros;
      visit(child);
    }
    own.set(frame.name, (own.get(frame.name) ?? 0) + micros);
  };
  visit(root);
  return [...own].sort(([, a], [, b]) => b - a).slice(0, count);
}

/** A flame graph: the width of a box is its time, what it called lies on it. Needs no script: a box tells its figures when pointed at. */
export function flameGraph(root: Frame, title: string, units: number): string {
  const boxes: string[] = [];
  let deepest = 0;
  const draw = (frame: Frame, x: number, depth: number): void => {
    const wide = (frame.micros / root.micros) * width;
    if (wide < narrowest) return;
    deepest = Math.max(deepest, depth);
    const share = `${((frame.micros / root.micros) * 100).toFixed(1)} %, ${(frame.micros / units).toFixed(2)} us each`;
    const letters = Math.floor((wide - 4) / letterWidth);
    const label = letters < 3 ? '' : `<text x="${(x + 3).toFixed(1)}" y="${-depth * rowHeight - 5}">${escape(frame.name.slice(0, letters))}</text>`;
    boxes.push(
      `<g><title>${escape(frame.name)}: ${share}</title><rect x="${x.toFixed(1)}" y="${-(depth + 1) * rowHeight}" `
        + `width="${wide.toFixed(1)}" height="${rowHeight - 1}" fill="${colourOf(frame.name)}"/>${label}</g>`,
    );
    let at = x;
    for (const child of [...frame.children.values()].sort((a, b) => a.name.localeCompare(b.name))) {
      draw(child, at, depth + 1);
      at += (child.micros / root.micros) * width;
    }
  };
  draw(root, 0, 0);
  const height = headHeight + (deepest + 1) * rowHeight;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 ${-(deepest + 1) * rowHeight - headHeight} ${width} ${height}">\n`
    + '<style>text { font: 11px ui-monospace, monospace; fill: #1f2328 } rect:hover { stroke: #1f2328 }</style>\n'
    + `<rect x="0" y="${-height}" width="${width}" height="${height}" fill="#fff"/>\n`
    + `<text x="4" y="${-(deepest + 1) * rowHeight - 10}">${escape(title)}</text>\n${boxes.join('\n')}\n</svg>\n`;
}

/** Own code, Node's, packages', and what has no source: told apart by colour. */
function colourOf(name: string): string {
  if (name.includes('node_modules')) return '#b8c7e0';
  if (name.includes('node:')) return '#d5d8dc';
  return name.includes('.js:') ? '#f2a65a' : '#e2c9a8';
}

function nameOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const file = url.replace(/^.*\/dist\/(src\/)?/, '').replace(/^.*\/(node_modules\/)/, '$1');
  return `${name} ${file}:${lineNumber + 1}`;
}

function escape(text: string): string {
  return text.replace(/[<>&"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
