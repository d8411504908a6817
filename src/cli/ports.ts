import { createServer, type AddressInfo, type Server } from 'node:net';

/** Ports that are held while a cluster is planned, so that no two of its listeners get the same one. */
export class HeldPorts {
  readonly #servers: Server[] = [];

  /** Holds this port, or any free one for 0. Rejects as `listen` does: in use, not of this machine, not allowed. */
  async take(host: string, port: number): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true }, resolve);
    });
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** Holds the first port from this one on that is not in use; any free one for 0. */
  async takeFrom(host: string, port: number): Promise<number> {
    for (let candidate = port; ; candidate++) {
      try {
        return await this.take(host, candidate);
      } catch (error) {
        const isBusy = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
        if (!isBusy || candidate >= 65_535) throw error;
      }
    }
  }

  async release(): Promise<void> {
    await Promise.all(this.#servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  }
}
