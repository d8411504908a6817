import { BrokerError } from '../base/errors.ts';

/**
 * The three questions an orchestrator asks a node:
 *   live     is the process still good for something? `failing` means: kill it and start another
 *   ready    shall new clients be sent here? `failing` means: send them elsewhere, leave the rest alone
 *   started  is the start over? until it is `ok`, the other two are not asked
 */
export type Question = 'live' | 'ready' | 'started';

export const questions: readonly Question[] = ['live', 'ready', 'started'];

/** What a check finds; `reason` says in a few words why it is not ok. */
export interface Verdict {
  readonly ok: boolean;
  readonly reason?: string;
}

/** Reads state that is already in memory: no I/O, no waiting, so that a probe answers while all else hangs. */
export type Check = () => Verdict;

export interface Concern extends Verdict {
  readonly name: string;
}

export interface Report {
  readonly status: 'ok' | 'failing';
  readonly concerns: readonly Concern[];
}

/** Who has a say in each question: every room adds its own concerns, and one that fails makes the answer `failing`. */
export class Health {
  readonly #checks: Readonly<Record<Question, Map<string, Check>>> = {
    live: new Map(),
    ready: new Map(),
    started: new Map(),
  };

  /** Adds a concern for the rest of the node's life. A name that the question already has is an `internal` error. */
  add(question: Question, name: string, check: Check): void {
    const checks = this.#checks[question];
    if (checks.has(name)) {
      throw new BrokerError('internal', `health: the question "${question}" has a concern "${name}" already`);
    }
    checks.set(name, check);
  }

  /** Asks every concern now, in the order they were added. A check that throws is a concern that fails. */
  report(question: Question): Report {
    const concerns = [...this.#checks[question]].map(([name, check]) => ask(name, check));
    return { status: concerns.every((concern) => concern.ok) ? 'ok' : 'failing', concerns };
  }
}

function ask(name: string, check: Check): Concern {
  try {
    return { name, ...check() };
  } catch (error) {
    return { name, ok: false, reason: `the check failed: ${error instanceof Error ? error.message : String(error)}` };
  }
}
