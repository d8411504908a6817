import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { openAdmin } from '../../src/admin/server.ts';
import { Health } from '../../src/admin/health.ts';
import { silentLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { resolveConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { TestProcess } from '../support/process.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

function configOf(file: string, environment: Readonly<Record<string, string>>): Config {
  return resolveConfig({ document: { name: file, values: parse(read(file)) as unknown }, environment }).config;
}

describe('Dockerfile', () => {
  interface Instruction {
    readonly word: string;
    readonly rest: string;
  }
  const instructions = read('Dockerfile')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Instruction => ({ word: line.split(' ', 1)[0] ?? '', rest: line.replace(/^\S+\s+/, '') }));
  const lastFrom = instructions.map(({ word }) => word).lastIndexOf('FROM');
  const [build, runtime] = [instructions.slice(0, lastFrom), instructions.slice(lastFrom)];
  const all = (stage: readonly Instruction[], word: string): string[] => stage.filter((one) => one.word === word).map(({ rest }) => rest);
  const words = (json: string | undefined): string[] => JSON.parse(json ?? '[]') as string[];
  const { bin, engines } = JSON.parse(read('package.json')) as { bin: { swarmq: string }; engines: { node: string } };

  it('one stage builds, another one runs', () => {
    assert.equal(all(build, 'FROM').length, 1);
    assert.match(all(build, 'FROM')[0] ?? '', / AS build$/);
    assert.match(all(build, 'RUN').join(' && '), /^npm ci && npm run build && npm prune --omit=dev$/);
    assert.ok(!all(runtime, 'RUN').some((command) => command.includes('npm')));
  });

  it('both run a Node that the package allows', () => {
    const [oldest] = /\d+/.exec(engines.node) ?? [];
    for (const image of all(instructions, 'FROM')) assert.equal(/^node:(\d+)-/.exec(image)?.[1], oldest);
  });

  it('all that is copied from the project exists and passes .dockerignore', () => {
    const allowed = read('.dockerignore').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const sources = all(instructions, 'COPY').filter((rest) => !rest.startsWith('--from=')).flatMap((rest) => rest.split(' ').slice(0, -1));
    for (const source of sources) assert.ok(existsSync(`${root}${source}`), source);
    assert.deepEqual([...sources].sort(), allowed.sort());
  });

  it('what the running image takes from the build is in its folder', () => {
    const taken = all(runtime, 'COPY').filter((rest) => rest.startsWith('--from=')).map((rest) => rest.split(' ')[1]);
    assert.deepEqual(taken, ['/app/package.json', '/app/node_modules', '/app/dist']);
  });

  it('it runs as a numbered user that is not root', () => {
    assert.match(all(runtime, 'USER').at(-1) ?? 'root', /^[1-9]\d*:[1-9]\d*$/);
  });

  it('its entry point is the command that the package installs', () => {
    assert.deepEqual(words(all(runtime, 'ENTRYPOINT')[0]), ['swarmq']);
    assert.ok(all(runtime, 'RUN').includes(`ln -s /app/${bin.swarmq} /usr/local/bin/swarmq`));
    const source = bin.swarmq.replace(/^dist\//, '').replace(/\.js$/, '.ts');
    assert.ok(read(source).startsWith('#!/usr/bin/env node\n'), `${source} begins with its interpreter`);
  });

  it('it starts with the configuration that was copied in, and exposes what that opens', () => {
    const [command, flag, file] = words(all(runtime, 'CMD')[0]);
    assert.deepEqual([command, flag], ['start', '--config']);
    const [source] = (all(runtime, 'COPY').find((rest) => rest.endsWith(` ${file}`)) ?? '').split(' ');
    const { listeners, admin } = configOf(source ?? '', { SWARMQ_ALLOW_ANONYMOUS: 'true' });
    assert.deepEqual(all(runtime, 'EXPOSE')[0]?.split(' ').map(Number), [listeners[0]?.port, admin.listen?.port]);
  });

  it('its health check passes while the node is ready, and only then', async function () {
    this.timeout(20_000);
    const [command, ...args] = words(all(runtime, 'HEALTHCHECK')[0]?.replace(/^.*?CMD /, ''));
    let ok = true;
    const health = new Health();
    health.add('ready', 'drain', () => ({ ok }));
    const admin = await openAdmin({ host: '127.0.0.1', port: 0, log: silentLog, metrics: new Metrics(), health });
    const probe = (): TestProcess => new TestProcess(command ?? '', args.map((arg) => arg.replace('http://127.0.0.1:9090', admin.address)));
    try {
      assert.equal((await probe().exited).code, 0);
      ok = false;
      assert.equal((await probe().exited).code, 1);
    } finally {
      await admin.close();
    }
    assert.equal((await probe().exited).code, 1);
  });
});

describe('docker-compose.yml', () => {
  interface Compose {
    readonly services: Readonly<Record<string, ComposeService>>;
    readonly volumes: Readonly<Record<string, null>>;
  }
  interface ComposeService {
    readonly build?: string;
    readonly image?: string;
    readonly command?: readonly string[];
    readonly environment?: Readonly<Record<string, string | number>>;
    readonly volumes?: readonly string[];
    readonly ports?: readonly string[];
    readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
    readonly healthcheck?: { readonly test: readonly string[] };
    readonly stop_grace_period?: string;
    readonly ulimits?: { readonly nofile: number };
  }
  const { services, volumes } = parse(read('docker-compose.yml'), { merge: true }) as Compose;
  const entries = Object.entries(services);
  const nodes = entries.filter(([, { build }]) => build !== undefined);
  let configs: Config[];

  before(() => {
    configs = nodes.map(([, node]) => {
      const [file] = (node.volumes ?? []).find((volume) => volume.includes(':/etc/swarmq/swarmq.yaml'))?.split(':') ?? [];
      return configOf((file ?? '').replace('./', ''), node.environment as Record<string, string>);
    });
  });

  it('every service is built here or names an image with its version, and says nothing unknown', () => {
    const known = ['build', 'image', 'command', 'environment', 'volumes', 'ports', 'depends_on', 'healthcheck', 'stop_grace_period',
      'restart', 'read_only', 'cap_drop', 'security_opt', 'ulimits'];
    for (const [name, service] of entries) {
      assert.deepEqual(Object.keys(service).filter((field) => !known.includes(field)), [], name);
      if (service.build === undefined) assert.match(service.image ?? '', /^[a-z/]+:\d/);
      else assert.ok(existsSync(`${root}${service.build}/Dockerfile`));
    }
  });

  it('every service that is waited for exists and has a health check', () => {
    for (const [name, { depends_on: waitsFor = {} }] of entries) {
      for (const [other, { condition }] of Object.entries(waitsFor)) {
        assert.equal(condition, 'service_healthy');
        const service = services[other];
        assert.ok(service?.healthcheck !== undefined || service?.build !== undefined, `${name} waits for ${other}`);
      }
    }
  });

  it('every mounted file exists, and every volume is declared and used', () => {
    const sources = entries.flatMap(([, service]) => service.volumes ?? []).map((volume) => volume.split(':')[0] ?? '');
    for (const file of sources.filter((source) => source.startsWith('.'))) assert.ok(existsSync(`${root}${file}`), file);
    assert.deepEqual(sources.filter((source) => !source.startsWith('.')).sort(), Object.keys(volumes).sort());
  });

  it('every published port is open to this machine only, and there once', () => {
    const published = entries.flatMap(([, { ports = [] }]) => ports);
    for (const port of published) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
    assert.equal(new Set(published.map((port) => port.split(':')[1])).size, published.length);
    assert.deepEqual(services['haproxy']?.ports, ['127.0.0.1:1883:1883']);
  });

  it('three nodes have a valid configuration under their own names', () => {
    assert.deepEqual(configs.map(({ node }) => node.id), ['n1', 'n2', 'n3']);
    assert.deepEqual(nodes.map(([name]) => name), ['n1', 'n2', 'n3']);
  });

  it('the nodes find Redis and Kafka among the services', () => {
    for (const { redis, kafka } of configs) {
      assert.ok(new URL(redis.url ?? '').hostname in services);
      const advertised = services['kafka']?.environment?.['KAFKA_ADVERTISED_LISTENERS'];
      for (const broker of kafka.brokers) assert.ok(String(advertised).split(',').includes(`NODES://${broker}`), broker);
    }
  });

  it('a node has time to drain before it is killed', () => {
    nodes.forEach(([, node], i) => {
      const { graceMs = 0, waitMs = 0 } = configs[i]?.drain ?? {};
      assert.ok(milliseconds(node.stop_grace_period ?? '') >= graceMs + waitMs + 10_000);
    });
  });

  it('Redis keeps an append-only file and evicts nothing', () => {
    const command = services['redis']?.command?.join(' ') ?? '';
    for (const option of ['--appendonly yes', '--appendfsync everysec', '--maxmemory-policy noeviction']) assert.ok(command.includes(option), option);
  });

  describe('HAProxy', () => {
    const file = services['haproxy']?.volumes?.[0]?.split(':')[0] ?? '';
    const text = read(file);

    it('accepts its configuration without a warning', async () => {
      const haproxy = new TestProcess('haproxy', ['-c', '-f', `${root}${file}`]);
      assert.match(await haproxy.success(), /^Configuration file is valid\s*$/);
    });

    it('knows exactly the nodes, by their listener and their admin port', () => {
      const servers = [...text.matchAll(/^ {2}server (\S+) (\S+)$/gm)].map(([, name, place]) => `${name} ${place}`);
      assert.deepEqual(servers, configs.map(({ node, listeners }) => `${node.id} ${node.id}:${listeners[0]?.port}`));
      assert.match(text, new RegExp(`default-server check port ${configs[0]?.admin.listen?.port} `));
      assert.match(text, /option httpchk GET \/health\/ready\n {2}http-check expect status 200/);
    });

    it('may open the files that its connections need', () => {
      const [, connections] = /^ {2}maxconn (\d+)$/m.exec(text) ?? [];
      assert.ok((services['haproxy']?.ulimits?.nofile ?? 0) >= 2 * Number(connections) + 100);
    });

    it('gives a new client to the node with the fewest, as plain TCP', () => {
      assert.match(text, /^ {2}balance leastconn$/m);
      assert.match(text, /^ {2}mode tcp$/m);
      assert.doesNotMatch(text, /send-proxy/);
    });

    it('outwaits the longest keep-alive', () => {
      const longestMs = 1.5 * 65_535 * 1000;
      const front = /^frontend mqtt\n(?: .*\n)*? {2}timeout client (\S+)$/m.exec(text)?.[1];
      const back = /^backend nodes\n(?: .*\n)*? {2}timeout server (\S+)$/m.exec(text)?.[1];
      for (const timeout of [front, back]) assert.ok(milliseconds(timeout ?? '') > longestMs, timeout);
    });
  });
});

function milliseconds(duration: string): number {
  const [, amount, unit] = /^(\d+)(s|m|h)$/.exec(duration) ?? [];
  assert.ok(amount !== undefined && unit !== undefined, `a duration: ${duration}`);
  return Number(amount) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'];
}
