// Eclipse Paho for Python, from PyPI: one wheel in a cache folder outside the work tree, which Python imports as it is.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensureCommands, run, say } from './install.mjs';

const version = '2.1.0';
const sha256 = '6db9ba9b34ed5bc6b6e3812718c7e06e2fd7444540df2455d2c51bd58808feee';
const wheel = `paho_mqtt-${version}-py3-none-any.whl`;

/** The path to put on PYTHONPATH; fetches the wheel, and Python and pip too, where they are missing. */
export function ensurePaho() {
  ensureCommands('python3');
  const cache = join(homedir(), '.cache', 'swarmq');
  const path = join(cache, wheel);
  if (existsSync(path)) return path;
  ensureCommands('pip3');
  say(`fetching Paho ${version} from PyPI`);
  mkdirSync(cache, { recursive: true });
  const partial = mkdtempSync(`${path}-`);
  try {
    const requirements = join(partial, 'requirements.txt');
    writeFileSync(requirements, `paho-mqtt==${version} --hash=sha256:${sha256}\n`);
    run('pip3', ['download', '--quiet', '--no-deps', '--only-binary', ':all:', '--require-hashes', '--requirement', requirements, '--dest', partial]);
    // whole or not at all: another run may be doing the same
    renameSync(join(partial, wheel), path);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return path;
}
