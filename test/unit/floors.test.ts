import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/** From the ground up: a file imports from its own room or from a floor below. */
const floors = [
  ['base'],
  ['redis', 'config', 'codec'],
  ['store', 'cluster', 'auth'],
  ['engine'],
  ['listener', 'bridge', 'admin'],
  ['top'],
  ['cli'],
];

/** Each dependency has one door. */
const doors: Readonly<Record<string, string>> = {
  ...{ aedes: 'engine', ioredis: 'redis', 'mqemitter-redis': 'cluster', kafkajs: 'bridge', ws: 'listener', fastify: 'admin' },
  ...{ commander: 'cli', yaml: 'config', pino: 'base', 'prom-client': 'base', 'aedes-persistence-redis': 'cli', 'node:cluster': 'cli' },
};

/** What is done in one place only: a fact, how it shows in the text, and the place. */
const places: readonly (readonly [fact: string, word: RegExp, place: RegExp])[] = [
  ['reads the environment where the configuration is loaded', /\bprocess\.env\b/, /^src\/config\/load\.ts$/],
  ['handles signals and exits in the command line', /\bprocess\.(on|once|exit|exitCode)\b/, /^src\/cli\//],
  ['asks for the time in the clock', /\b(Date\.now|performance\.now|process\.hrtime)\b/, /^src\/base\/clock\.ts$/],
  // the command line holds the ports of its workers while it hands them out
  ['listens in the listeners', /\bcreateServer\b.* from 'node:(net|tls|http|https)'/, /^src\/(listener\/|cli\/ports\.ts$)/],
];

const root = join(import.meta.dirname, '../..');

const files = ['src', 'cluster'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ path: `${folder}/${name}`, text: withoutComments(readFileSync(join(root, folder, name), 'utf8')) })),
);

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
}

/** `src/store/redis/queue.ts` is in the room `store`; `src/server.ts` and the face `src/index.ts` are the `top`. */
function roomOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  if (first === 'cluster') return 'cluster';
  return second.endsWith('.ts') ? 'top' : second;
}

function importsOf(text: string): string[] {
  return ts.preProcessFile(text).importedFiles.map((imported) => imported.fileName);
}

function floorOf(room: string): number {
  return floors.findIndex((rooms) => rooms.includes(room));
}

describe('the house', () => {
  it('has a floor for every room', () => {
    assert.deepEqual(files.filter(({ path }) => floorOf(roomOf(path)) < 0).map(({ path }) => path), []);
  });

  it('imports downwards only', () => {
    const upwards = files.flatMap(({ path, text }) =>
      importsOf(text)
        .filter((name) => name.startsWith('.'))
        .map((name) => normalize(join(dirname(path), name)))
        .filter((target) => roomOf(target) !== roomOf(path) && floorOf(roomOf(target)) >= floorOf(roomOf(path)))
        .map((target) => `${path} imports ${target}`),
    );
    assert.deepEqual(upwards, []);
  });

  it('has one door for each dependency', () => {
    const elsewhere = files.flatMap(({ path, text }) =>
      importsOf(text)
        .filter((name) => !name.startsWith('.') && (doors[name] ?? (name.startsWith('node:') ? roomOf(path) : 'no room')) !== roomOf(path))
        .map((name) => `${path} imports ${name}, whose door is ${doors[name] ?? 'nowhere'}`),
    );
    assert.deepEqual(elsewhere, []);
  });

  for (const [fact, word, place] of places) {
    it(`${fact}, and nowhere else`, () => {
      assert.deepEqual(files.filter(({ path, text }) => word.test(text) && !place.test(path)).map(({ path }) => path), []);
    });
  }
});
