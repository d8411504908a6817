import type { Message } from '../base/message.ts';
import type { Origin } from './publish.ts';
import type { Match } from './routes.ts';
import type { OncePush, Pushes } from './spread.ts';

/** One message on its way through a commit. */
export class Pending {
  readonly message: Message;
  readonly origin: Origin;
  /** what the next commit writes for: at first everyone, on a second round only who was found since */
  match: Match;
  /** everyone it was or will be written for */
  known: Match;
  record: Buffer | null = null;
  pushes: Pushes | null = null;
  once: OncePush | null = null;
  /** the number that each of `match.queues` gave it, once committed */
  seqs: readonly number[] | null = null;
  /** It waits for one reading of the route log before it is pushed, because a push that happens once cannot have a second round. */
  isWaiting: boolean;
  /** everyone known has it; it only waits for its turn to be answered */
  isWritten = false;
  hadSubscribers = false;
  retained: number | null = null;
  /** members of groups that turned out to be gone */
  refused: string[] = [];

  constructor(message: Message, match: Match, origin: Origin) {
    this.message = message;
    this.match = match;
    this.known = match;
    this.origin = origin;
    this.isWaiting = this.isOnce;
  }

  /**
   * Whether what the store is told must happen exactly once: a QoS 2 message that goes further than this node's memory, for the
   * answer may be lost and the commit repeated; and any of a session that outlives this node, whose client repeats it elsewhere.
   */
  get isOnce(): boolean {
    const { session } = this.origin;
    if (this.message.qos !== 2 || session === null) return false;
    const { queues, nodes, groups, bridges } = this.match;
    return session.isPersistent || queues.length + nodes.length + groups.length + bridges.length > 0;
  }
}
