import { neverExpires } from '../store/sessions.ts';
import type { Engine } from './engine.ts';
import { leaveGroups } from './hand-back.ts';
import { afterEnd, forgetReminder } from './leave.ts';
import { fireWill } from './wills.ts';

/**
 * Does for a client of a dead node what that node would have done: publishes or delays its will, releases or ends its session.
 * Every step is refused when the client has come back meanwhile, and may be repeated.
 */
export async function buryClient(engine: Engine, dead: string, clientId: string): Promise<void> {
  const { sessions, due } = engine.store;
  const orphan = await sessions.orphan(clientId, dead);
  if (orphan === null) return;
  const { epoch, expirySeconds, will } = orphan;
  const willDelay = Math.min(orphan.willDelaySeconds, expirySeconds);
  if (will !== null && willDelay === 0) await fireWill(engine, null, clientId, epoch, will);
  await leaveGroups(engine, clientId, epoch, expirySeconds === 0);
  if (expirySeconds === 0) {
    const ended = await sessions.end(clientId, epoch);
    if (ended !== 'fenced') await afterEnd(engine, clientId, epoch, ended);
    if (ended !== 'fenced') await forgetReminder(engine, clientId);
    return;
  }
  if (will !== null && willDelay > 0) await due.remind('wills', clientId, willDelay * 1000);
  if (expirySeconds !== neverExpires) await due.remind('sessions', clientId, expirySeconds * 1000);
  // how far the dead node had sent, nobody knows
  await sessions.release(clientId, epoch, -1, expirySeconds, willDelay > 0 ? 'keep' : 'drop');
}
