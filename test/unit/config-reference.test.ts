import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolveConfig } from '../../src/config/load.ts';
import { printConfig } from '../../src/config/print.ts';
import { readValue, refused } from '../../src/config/read.ts';
import { configReference } from '../../src/config/reference.ts';
import { changes } from '../../src/config/reload.ts';
import { settings } from '../../src/config/settings.ts';
import { hidePasswords } from '../../src/config/show.ts';

describe('the configuration reference', () => {
  it('is what the table of options says now', () => {
    const page = readFileSync(new URL('../../src/config/REFERENCE.md', import.meta.url), 'utf8');
    assert.equal(page, configReference(), 'stale: write it again with `swarmq config reference`');
  });
});

describe('the table of options', () => {
  it('gives each option a variable and a flag of its own', () => {
    const variables = [...settings.values()].map(({ variable }) => variable);
    const flags = [...settings.values()].flatMap(({ option }) => option.flag ?? []);
    assert.equal(new Set(variables).size, variables.length);
    assert.equal(new Set(flags).size, flags.length);
    assert.equal(settings.get('redis.connectTimeoutMs')?.variable, 'SWARMQ_REDIS_CONNECT_TIMEOUT_MS');
  });

  it('has only defaults that pass their own check', () => {
    for (const { path, option } of settings.values()) {
      if (option.default === null || option.values.type === 'records') continue;
      const value = option.makeDefault?.() ?? option.default;
      assert.notEqual(readValue(option, value, path, () => undefined), refused, path);
    }
  });

  it('has the unit of a number in its name', () => {
    const endings = { ms: 'Ms', s: 'Seconds', bytes: 'Bytes', 'per second': 'erSecond' } as const;
    for (const { path, option } of settings.values()) {
      const ending = option.unit === undefined ? '' : ((endings as Record<string, string>)[option.unit] ?? '');
      assert.ok(path.endsWith(ending), `${path} in ${option.unit}`);
    }
  });
});

describe('the printed configuration', () => {
  const loaded = resolveConfig({
    environment: { SWARMQ_REDIS_PASSWORD: 'wonderland', SWARMQ_REDIS_URL: 'redis://alice@h:6379' },
    flags: [{ path: 'listeners', value: ['mqtt://127.0.0.1:1', 'ws://127.0.0.1:2'], name: '--listen' }],
  });

  it('shows every option once, with its value and where it came from', () => {
    const lines = printConfig(loaded).trimEnd().split('\n');
    assert.deepEqual(lines.map((line) => line.slice(0, line.indexOf(':'))), [...settings.keys()]);
    const listeners = lines.find((line) => line.startsWith('listeners:'));
    assert.match(listeners ?? '', /^listeners: \["mqtt:\/\/127\.0\.0\.1:1","ws:\/\/127\.0\.0\.1:2\/mqtt"\] +# flag --listen$/);
    assert.match(lines.find((line) => line.startsWith('mqtt.maxInflight:')) ?? '', /^mqtt\.maxInflight: 1000 +# default$/);
  });

  it('hides secrets and the passwords in URLs', () => {
    const page = printConfig(loaded);
    assert.doesNotMatch(page, /wonderland/);
    assert.match(page, /redis\.password: \(hidden\) +# environment SWARMQ_REDIS_PASSWORD/);
    assert.match(page, /redis\.url: "redis:\/\/alice:\*\*\*@h:6379"/);
    assert.equal(hidePasswords('redis://:a:b/c@d@h:1 and mqtt://h:2'), 'redis://:***@h:1 and mqtt://h:2');
  });
});

describe('a configuration that is read again', () => {
  it('names what has changed, and what of it needs a restart', () => {
    const before = resolveConfig({}).config;
    const { config } = resolveConfig({ environment: { SWARMQ_LOG_LEVEL: 'debug', SWARMQ_MQTT_MAX_INFLIGHT: '5' } });
    assert.deepEqual(changes(before, config), [
      { path: 'log.level', isReloadable: true },
      { path: 'mqtt.maxInflight', isReloadable: false },
    ]);
  });
});
