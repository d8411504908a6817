import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/**
 * The numbered statements of Appendix B: section -> how many, numbered from 1; or from the first to the last number.
 *
 * Two are written otherwise in the text of MQTT 3.1.1: 3.1.2-7 as `3.1.2.7`, and 3.8.3-4 as `3-8.3-4`, which is its name in
 * Appendix B too. MQTT 5.0 has 4.2.0-1 as `4.2-1` in its text, and no 2.2.1-1.
 */
type Sections = Readonly<Record<string, number | readonly [first: number, last: number]>>;

const statements: Readonly<Record<'3.1.1' | '5.0', { readonly count: number; readonly sections: Sections; readonly others: readonly string[] }>> = {
  '3.1.1': {
    count: 141,
    sections: {
      '1.5.3': 3, '2.2.2': 2, '2.3.1': 7,
      '3.1.0': 2, '3.1.2': 24, '3.1.3': 11, '3.1.4': 5, '3.2.0': 1, '3.2.2': 6, '3.3.1': 12, '3.3.2': 3, '3.3.4': 1, '3.3.5': 2, '3.6.1': 1,
      '3.8.1': 1, '3.8.3': 3, '3.8.4': 6, '3.9.3': 2, '3.10.1': 1, '3.10.3': 2, '3.10.4': 6, '3.12.4': 1, '3.14.1': 1, '3.14.4': 3,
      '4.1.0': 2, '4.3.1': 1, '4.3.2': 2, '4.3.3': 2, '4.4.0': 1, '4.5.0': 2, '4.6.0': 6, '4.7.1': 3, '4.7.2': 1, '4.7.3': 4, '4.8.0': 2,
      '6.0.0': 4, '7.0.0': 2, '7.1.1': 1, '7.1.2': 1,
    },
    others: ['3-8.3-4'],
  },
  '5.0': {
    count: 251,
    sections: {
      '1.5.4': 3, '1.5.5': 1, '1.5.7': 1, '2.1.3': 1, '2.2.1': [2, 6], '2.2.2': 1,
      '3.1.0': 2, '3.1.2': 30, '3.1.3': 12, '3.1.4': 6, '3.2.0': 2, '3.2.2': 22, '3.3.1': 13, '3.3.2': 20, '3.3.4': 10,
      '3.4.2': 3, '3.5.2': 3, '3.6.1': 1, '3.6.2': 3, '3.7.2': 3, '3.8.1': 1, '3.8.3': 5, '3.8.4': 8, '3.9.2': 2, '3.9.3': 2,
      '3.10.1': 1, '3.10.3': 2, '3.10.4': 6, '3.11.2': 2, '3.11.3': 2, '3.12.4': 1, '3.14.0': 1, '3.14.1': 1, '3.14.2': 4, '3.14.4': 3,
      '3.15.1': 1, '3.15.2': 3,
      '4.1.0': 2, '4.2.0': 1, '4.3.1': 1, '4.3.2': 5, '4.3.3': 13, '4.4.0': 2, '4.5.0': 2, '4.6.0': 6, '4.7.0': 1, '4.7.1': 2, '4.7.2': 1,
      '4.7.3': 4, '4.8.2': 6, '4.9.0': 3, '4.12.0': 7, '4.12.1': 2, '4.13.1': 1, '4.13.2': 1, '6.0.0': 4,
    },
    others: [],
  },
};

const versions = ['3.1.1', '5.0'] as const;
type Version = (typeof versions)[number];

function identifiers(version: Version): string[] {
  const { sections, others } = statements[version];
  const numbered = Object.entries(sections).flatMap(([section, range]) => {
    const [first, last] = typeof range === 'number' ? [1, range] : range;
    return Array.from({ length: last - first + 1 }, (_, i) => `${section}-${first + i}`);
  });
  return [...numbered, ...others];
}

const page = readFileSync(join(root, 'docs/conformance.md'), 'utf8');

interface Row {
  readonly id: string;
  readonly says: string;
  readonly shownBy: string;
}

/** The part of the page about one version. */
function chapter(version: string): string {
  const from = page.indexOf(`\n## MQTT ${version}\n`);
  assert.ok(from > 0, `a chapter about MQTT ${version}`);
  const to = page.indexOf('\n## ', from + 1);
  return page.slice(from, to < 0 ? undefined : to);
}

function rowsOf(version: Version): Row[] {
  return Array.from(chapter(version).matchAll(/^\| MQTT-(\S+) \| (.*?) \| (.*) \|$/gm), ([, id = '', says = '', shownBy = '']) => ({ id, says, shownBy }));
}

function clientsOnly(version: Version): string[] {
  const line = chapter(version).split('\n').find((text) => text.startsWith('Bind clients only: ')) ?? '';
  return Array.from(line.matchAll(/MQTT-(\S+)/g), ([, id = '']) => id);
}

interface Named {
  readonly file: string;
  readonly title: string;
}

/** The tests that a text names: `folder/file` "title". */
function named(text: string): Named[] {
  return Array.from(text.matchAll(/`([a-z]+\/[\w-]+)` "([^"]+)"/g), ([, file = '', title = '']) => ({ file, title }));
}

/** The suites in which each title of a file stands. */
type Titles = ReadonlyMap<string, readonly string[]>;

/** The tests in these files, as mocha has them; nothing is run. */
async function testsIn(files: readonly string[]): Promise<ReadonlyMap<string, Titles>> {
  const pathOf = (file: string): string => join(root, `test/${file}.test.ts`);
  const args = [join(root, 'node_modules/mocha/bin/mocha.js'), '--dry-run', '--reporter', 'json', ...files.map(pathOf)];
  const mocha = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  mocha.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  await once(mocha, 'close');
  const { tests } = JSON.parse(output) as { tests: { title: string; fullTitle: string; file: string }[] };
  const byPath = new Map(files.map((file) => [pathOf(file), new Map<string, string[]>()]));
  for (const { title, fullTitle, file } of tests) {
    const titles = byPath.get(file)!;
    titles.set(title, [...(titles.get(title) ?? []), fullTitle.slice(0, -title.length)]);
  }
  return new Map(files.map((file) => [file, byPath.get(pathOf(file))!]));
}

/** The suites of a test; `…` in its name stands for what its title says of its case. */
function suitesOf(title: string, titles: Titles): readonly string[] {
  if (!title.includes('…')) return titles.get(title) ?? [];
  const pattern = title.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('.+');
  return [...titles].filter(([text]) => new RegExp(`^${pattern}$`).test(text)).flatMap(([, suites]) => suites);
}

/** Whether one of the suites is of this version, or of none. */
function isFor(version: Version, suites: readonly string[]): boolean {
  return suites.some((suite) => {
    const said = /MQTT (\d(?:\.\d)+)/.exec(suite)?.[1];
    return said === undefined || said === version;
  });
}

describe('docs/conformance.md', () => {
  for (const version of versions) {
    it(`has each statement of MQTT ${version} once, in a row or among those that bind clients only`, () => {
      const all = identifiers(version);
      assert.equal(all.length, statements[version].count);
      assert.deepEqual([...rowsOf(version).map(({ id }) => id), ...clientsOnly(version)].sort(), [...all].sort());
    });

    it(`says of each statement of MQTT ${version} what it demands, and what shows it or why it cannot apply`, () => {
      for (const { id, says, shownBy } of rowsOf(version)) {
        assert.ok(says.length > 10, id);
        const rest = shownBy.replaceAll(/`[a-z]+\/[\w-]+` "[^"]+"/g, '').replaceAll(/[; ]/g, '');
        if (shownBy.startsWith('— cannot apply: ')) assert.ok(rest.length > 30, id);
        else assert.ok(named(shownBy).length > 0 && rest === '', `${id}: ${rest}`);
      }
    });
  }

  it('names tests that are there, and run for the version', async function () {
    this.timeout(60_000);
    const all = named(page);
    assert.ok(all.length > 400, `${all.length} tests are named`);
    const files = [...new Set(all.map(({ file }) => file))];
    assert.deepEqual(files.filter((file) => !existsSync(join(root, `test/${file}.test.ts`))), []);
    const tests = await testsIn(files);
    assert.deepEqual(all.filter(({ file, title }) => suitesOf(title, tests.get(file)!).length === 0), []);
    for (const version of versions) {
      const rows = rowsOf(version).flatMap(({ id, shownBy }) => named(shownBy).map((test) => ({ id, ...test })));
      assert.deepEqual(rows.filter(({ file, title }) => !isFor(version, suitesOf(title, tests.get(file)!))), [], `MQTT ${version}`);
    }
  });

  it('knows every statement that the code and the tests cite', () => {
    const known = new Set(versions.flatMap(identifiers));
    const cited = ['src', 'cluster', 'test'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .flatMap((name) => {
          const text = readFileSync(join(root, folder, name), 'utf8');
          return Array.from(text.matchAll(/MQTT-(\d[\d.]*-[\d.-]*\d|\d+(?:\.\d+)+)/g), ([, id = '']) => ({ name: `${folder}/${name}`, id }));
        }),
    );
    assert.ok(cited.length > 100);
    assert.deepEqual(cited.filter(({ id }) => !known.has(id)), []);
  });
});
