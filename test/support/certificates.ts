import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.ts';

/** An authority, a server's certificate for 127.0.0.1, a client's certificate, and one that nobody signed. */
export class Certificates {
  readonly #folder = temporaryFolder('certificates');

  constructor() {
    this.#make('authority', '/CN=authority');
    this.issue('server', '/CN=server', ['IP:127.0.0.1', 'DNS:localhost']);
    this.issue('client', '/CN=client');
    this.#make('stranger', '/CN=stranger');
  }

  /** A certificate of the authority, with its key: `name.pem` and `name.key`. Alternative names are given as `DNS:localhost`. */
  issue(name: string, subject: string, alternativeNames: readonly string[] = []): void {
    // alternative names in a section of their own: elsewhere a comma in a name would make two of it
    const names = alternativeNames.map((text, i) => text.replace(':', `.${i + 1} = `));
    const extensions = ['basicConstraints = critical,CA:FALSE', ...(names.length > 0 ? ['subjectAltName = @names', '[names]', ...names] : [])];
    writeFileSync(this.path(`${name}.cnf`), ['[req]', 'distinguished_name = subject', '[subject]', '[leaf]', ...extensions, ''].join('\n'));
    const args = ['-CA', this.path('authority.pem'), '-CAkey', this.path('authority.key'), '-config', this.path(`${name}.cnf`), '-extensions', 'leaf'];
    this.#make(name, subject, ...args);
  }

  path(file: string): string {
    return join(this.#folder.path, file);
  }

  read(file: string): Buffer {
    return readFileSync(this.path(file));
  }

  #make(name: string, subject: string, ...args: string[]): void {
    const common = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', subject];
    execFileSync('openssl', ['req', '-x509', ...common, '-keyout', this.path(`${name}.key`), '-out', this.path(`${name}.pem`), ...args], { stdio: 'ignore' });
  }

  remove(): void {
    this.#folder.remove();
  }
}
