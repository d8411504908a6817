import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.ts';

/** An authority, a server's certificate for 127.0.0.1, a client's certificate, and one that nobody signed. */
export class Certificates {
  readonly #folder = temporaryFolder('certificates');

  constructor() {
    const make = (name: string, ...args: string[]): void => {
      const common = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`];
      execFileSync('openssl', ['req', '-x509', ...common, '-keyout', this.path(`${name}.key`), '-out', this.path(`${name}.pem`), ...args], { stdio: 'ignore' });
    };
    make('authority');
    const signed = ['-CA', this.path('authority.pem'), '-CAkey', this.path('authority.key')];
    make('server', ...signed, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE');
    make('client', ...signed, '-addext', 'basicConstraints=critical,CA:FALSE');
    make('stranger');
  }

  path(file: string): string {
    return join(this.#folder.path, file);
  }

  read(file: string): Buffer {
    return readFileSync(this.path(file));
  }

  remove(): void {
    this.#folder.remove();
  }
}
