import { answer, Script } from '../../redis/script.ts';
import type { Reply } from '../../redis/batch.ts';
import type { RedisLink } from '../../redis/connect.ts';
import { bytesOf, endedOf, listOf, numberOf, ownedOf, subscriptionsOf, textOf } from './replies.ts';
import type {
  Claim,
  ClaimRequest,
  EndedSession,
  ExpiredSession,
  OpenedSession,
  OpenRequest,
  Orphan,
  Owned,
  Sessions,
  StoredSubscription,
} from '../sessions.ts';

const whole = ['meta', 'subscriptions', 'queue', 'released', 'incoming', 'ended'] as const;

const claim = new Script(new URL('./lua/session_claim.lua', import.meta.url), { keys: ['meta'], args: ['owner'] });
const open = new Script(new URL('./lua/session_open.lua', import.meta.url), {
  keys: whole,
  args: ['epoch', 'clean_start', 'protocol', 'expiry', 'will', 'will_delay'],
});
const subscribe = new Script(new URL('./lua/session_subscribe.lua', import.meta.url), {
  keys: ['meta', 'subscriptions', 'queue'],
  args: ['epoch', 'first_seq', 'pairs...'],
});
const unsubscribe = new Script(new URL('./lua/session_unsubscribe.lua', import.meta.url), {
  keys: ['meta', 'subscriptions'],
  args: ['epoch', 'filters...'],
});
const release = new Script(new URL('./lua/session_release.lua', import.meta.url), {
  keys: ['meta'],
  args: ['epoch', 'sent', 'expiry', 'will'],
});
const end = new Script(new URL('./lua/session_end.lua', import.meta.url), { keys: whole, args: ['epoch'] });
const expire = new Script(new URL('./lua/session_expire.lua', import.meta.url), { keys: whole, args: [] });

export class RedisSessions implements Sessions {
  readonly #link: RedisLink;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  async claim({ clientId, owner }: ClaimRequest): Promise<Claim> {
    const reply = await claim.run(this.#link, { meta: this.#link.keys.session(clientId) }, { owner });
    const [epoch, former] = answer(reply).rest;
    return { epoch: numberOf(epoch), former: textOf(former) || null };
  }

  async open(request: OpenRequest): Promise<OpenedSession | 'fenced'> {
    const reply = await open.run(this.#link, this.#keys(request.clientId), {
      epoch: request.epoch,
      clean_start: request.cleanStart ? 1 : 0,
      protocol: request.protocol,
      expiry: request.expirySeconds,
      will: request.will ?? '',
      will_delay: request.willDelaySeconds,
    });
    const { word, rest } = answer(reply);
    if (word === 'fenced') return 'fenced';
    const [present, sent, inOrder, subscriptions, incoming, released, ended] = rest;
    return {
      present: present === 1,
      subscriptions: subscriptionsOf(subscriptions),
      incoming: listOf(incoming).map(numberOf),
      released: listOf(released).map(numberOf),
      sentUpTo: numberOf(sent),
      releasedInOrder: numberOf(inOrder) === 1,
      ended: listOf(ended).length === 0 ? null : endedOf(ended),
    };
  }

  async subscribe(clientId: string, epoch: number, subscriptions: readonly StoredSubscription[], firstSeq = 1): Promise<Owned> {
    const { meta, subscriptions: key, queue } = this.#keys(clientId);
    const pairs = subscriptions.flatMap(({ filter, options }) => [filter, options]);
    return ownedOf(await subscribe.run(this.#link, { meta, subscriptions: key, queue }, { epoch, first_seq: firstSeq, pairs }));
  }

  async subscriptions(clientId: string): Promise<{ epoch: number; subscriptions: StoredSubscription[] }> {
    const epoch = numberOf((await this.#fields(clientId, 'epoch'))[0] ?? 0);
    const key = this.#link.keys.subscriptions(clientId);
    const filters = listOf(await this.#link.command('HKEYS', key)).map(textOf);
    if (filters.length === 0) return { epoch, subscriptions: [] };
    const options = listOf(await this.#link.command('HMGET', key, ...filters));
    // one may have been removed in between
    return { epoch, subscriptions: filters.flatMap((filter, i) => (options[i] ? [{ filter, options: bytesOf(options[i]) }] : [])) };
  }

  async unsubscribe(clientId: string, epoch: number, filters: readonly string[]): Promise<Owned> {
    const { meta, subscriptions } = this.#keys(clientId);
    return ownedOf(await unsubscribe.run(this.#link, { meta, subscriptions }, { epoch, filters }));
  }

  async release(clientId: string, epoch: number, sentUpTo: number, expirySeconds: number, will: 'drop' | 'keep'): Promise<Owned> {
    const meta = this.#link.keys.session(clientId);
    return ownedOf(await release.run(this.#link, { meta }, { epoch, sent: sentUpTo, expiry: expirySeconds, will }));
  }

  async end(clientId: string, epoch: number): Promise<EndedSession | 'fenced'> {
    const { word, rest } = answer(await end.run(this.#link, this.#keys(clientId), { epoch }));
    return word === 'fenced' ? 'fenced' : endedOf(rest[0]);
  }

  async expire(clientId: string): Promise<ExpiredSession | 'kept' | { readonly dueInMs: number }> {
    const { word, rest } = answer(await expire.run(this.#link, this.#keys(clientId), {}));
    if (word === 'later') return { dueInMs: numberOf(rest[0]) };
    return word === 'kept' ? 'kept' : { ...endedOf(rest[0]), epoch: numberOf(rest[1]) };
  }

  async orphan(clientId: string, owner: string): Promise<Orphan | null> {
    const [stands, epoch, expiry, will, willDelay] = await this.#fields(clientId, 'owner', 'epoch', 'expiry', 'will', 'will_delay');
    if (!stands || textOf(stands) !== owner) return null;
    return {
      epoch: numberOf(epoch),
      expirySeconds: numberOf(expiry ?? 0),
      will: will ? bytesOf(will) : null,
      willDelaySeconds: numberOf(willDelay ?? 0),
    };
  }

  async pendingWill(clientId: string): Promise<{ epoch: number; will: Buffer } | null> {
    const [owner, epoch, will] = await this.#fields(clientId, 'owner', 'epoch', 'will');
    return owner || !will ? null : { epoch: numberOf(epoch), will: bytesOf(will) };
  }

  async #fields(clientId: string, ...names: string[]): Promise<Reply[]> {
    return listOf(await this.#link.command('HMGET', this.#link.keys.session(clientId), ...names));
  }

  #keys(clientId: string): Record<(typeof whole)[number], string> {
    const { keys } = this.#link;
    return {
      meta: keys.session(clientId),
      subscriptions: keys.subscriptions(clientId),
      queue: keys.queue(clientId),
      released: keys.released(clientId),
      incoming: keys.incoming(clientId),
      ended: keys.ended(clientId),
    };
  }
}
