/**
 * Who starts a thing in a test ends it, and forgetting is noticed.
 *
 * Every helper that holds something (a process, a socket, a folder) hands its end to `atEnd`. What was started inside a
 * test or a `beforeEach` ends with that test. What was started in a `before` is stopped by the suite's own `after`;
 * when it is forgotten, it ends with the run and the run fails with its name. `keepForRun` is for the few things that
 * all files share on purpose.
 */
type End = () => void | Promise<void>;

interface Holding {
  readonly what: string;
  readonly end: End;
  readonly shared: boolean;
}

const ofRun = new Set<Holding>();
const ofTest = new Set<Holding>();
let insideTest = false;

/** Registers the end of `what`. Gives a function to call once it was ended by its owner. */
export function atEnd(what: string, end: End): () => void {
  const scope = insideTest ? ofTest : ofRun;
  const holding: Holding = { what, end, shared: false };
  scope.add(holding);
  return () => scope.delete(holding);
}

/** Registers the end of something that every file of the run shares: it ends with the run, and nobody is blamed. */
export function keepForRun(what: string, end: End): void {
  ofRun.add({ what, end, shared: true });
}

async function endAll(scope: Set<Holding>): Promise<string[]> {
  const failures: string[] = [];
  // the latest first: what was built on another thing goes before it
  for (const holding of [...scope].reverse()) {
    scope.delete(holding);
    try {
      await holding.end();
    } catch (error) {
      failures.push(`${holding.what} did not end: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failures;
}

function complain(complaints: string[]): void {
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

export const mochaHooks = {
  beforeEach(): void {
    insideTest = true;
  },
  async afterEach(this: Mocha.Context): Promise<void> {
    this.timeout(30_000);
    insideTest = false;
    complain(await endAll(ofTest));
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(60_000);
    const forgotten = [...ofRun].filter((holding) => !holding.shared).map((holding) => `forgotten by its suite: ${holding.what}`);
    complain([...forgotten, ...(await endAll(ofRun))]);
  },
};
