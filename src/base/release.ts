import { createRequire } from 'node:module';

/** The release of this program, as its package says. */
export const { version: release } = createRequire(import.meta.url)('swarmq/package.json') as { readonly version: string };
