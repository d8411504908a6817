import type { Batch } from '../src/base/batch.ts';

/** `<node id>#<number>`: one life of a node. The number grows with every start, so no two lives are taken for each other. */
export type Incarnation = string;

export interface Member {
  readonly incarnation: Incarnation;
  readonly node: string;
  /** facts the node told when it joined: release, addresses for people to see */
  readonly facts: Readonly<Record<string, string>>;
  readonly isAlive: boolean;
}

/**
 * One change of who wants which topics. `options` null: the target does not want the filter any more.
 *
 * `version` says under which authority: the epoch of a session. A change of a lower version than the one that stands comes too
 * late, from a node that does not speak for the target any more, and is passed over. 0 where there can be only one speaker.
 */
export interface RouteChange {
  readonly filter: string;
  readonly target: string;
  readonly version: number;
  readonly options: Buffer | null;
}

/** Takes route changes into the node's tree. Changes may come twice; the last one counts. */
export interface RouteSink {
  /** Forget all routes: a snapshot follows. */
  reset(): void;
  change(change: Omit<RouteChange, 'version'>): void;
}

/**
 * Who wants which topics, the same on every node: a table, and a log of its changes. A node takes a snapshot of the table at
 * its start and then follows the log; a node that fell behind the log's end takes a snapshot again.
 */
export interface Routes {
  /** Takes the snapshot and follows from there. Resolves when the sink is up to date as of now. */
  load(sink: RouteSink): Promise<void>;
  /**
   * Writes changes to the table and the log, in order, and hands those that do not come too late to the sink. Once it resolves,
   * every commit on any node sees them.
   */
  change(changes: readonly RouteChange[]): Promise<void>;
  /** Appends a non-blocking read of the log's news to the batch. Slot: `follow`. */
  read(batch: Batch): number;
  /**
   * Hands the news to the sink. `true`: the sink is up to date as of the commit. `false`: there is more, or the node fell
   * behind: call `catchUp` and rely on nothing before it resolves.
   */
  follow(batch: Batch, slot: number): boolean;
  catchUp(): Promise<void>;
}

/**
 * What nodes send each other: frames of bytes, opaque here, in order for each sender. One entry of the receiver's stream
 * carries all frames of one turn. A frame sent to a life that has ended goes nowhere.
 */
export interface Inbox {
  /**
   * Adds one frame for the receiver to the batch; head and body are joined. The head may be used again at once; the body
   * must stay as it is until the commit is done.
   */
  send(batch: Batch, to: Incarnation, head: Buffer, body: Buffer | null): void;
  /** Appends the frames added so far as one entry for each receiver. Called once, before the commit. */
  seal(batch: Batch): void;
  /** One frame as part of something that happens once: stream key, field and value. */
  target(to: Incarnation, head: Buffer, body: Buffer | null): { kind: 'stream'; isMade: boolean; key: string; field: string; value: Buffer; maxEntries: number };
}

/** How sessions change hands. */
export interface Handover {
  /**
   * Asks the former owner to let go of the client's session, and waits until it did, or is dead, or does not listen any
   * more. Resolves within a lease at the latest, whatever the former does: the session's epoch shuts it out.
   */
  takeFrom(former: Incarnation, clientId: string, epoch: number): Promise<void>;
  /** Whether this life still has its lease, asked of Redis and not of memory. */
  isAlive(incarnation: Incarnation): Promise<boolean>;
}

/** A role that exactly one node has, held by a lease with a growing token. */
export interface Roles {
  /** Becomes or stays holder for `leaseMs`. Gives the token, or null while another node holds it. */
  hold(role: string, leaseMs: number): Promise<number | null>;
  resign(role: string, token: number): Promise<void>;
}

/** What the cluster asks of the node. */
export interface ClusterHandlers {
  /** Another node claims this client's session: close its connection, hand in what it acknowledged, release. */
  letGo(clientId: string, epoch: number): Promise<void>;
  /** Frames from other nodes, in order. The promise holds back the next entry: this is the inbox's back-pressure. */
  receive(frames: readonly Buffer[]): Promise<void> | undefined;
  /** This life lost its lease and was buried: drop every client at once; `start` with a new incarnation follows. */
  fenced(): void;
  /**
   * A new life began; routes are loaded anew by the node. Nothing is certain until this resolves, so it must not wait for
   * certainty. Called again when it rejects.
   */
  reborn(incarnation: Incarnation): Promise<void>;
  /** Part of a burial: the dead node served this client (or was about to). May be called again after a failure. */
  buryClient(dead: Incarnation, clientId: string): Promise<void>;
  /** Part of a burial: remove what the dead node wanted from the routes. */
  buryRoutes(dead: Incarnation): Promise<void>;
  /** A word from another node or an operator over the control bus: kick, drain, reload. */
  control(word: string, body: unknown): void;
}

/**
 * The nodes: who lives, how they reach each other, who does what. Knows nothing of MQTT.
 */
export interface Cluster {
  readonly incarnation: Incarnation;
  readonly routes: Routes;
  readonly inbox: Inbox;
  readonly handover: Handover;
  readonly roles: Roles;
  members(): readonly Member[];

  /**
   * Whether this life's lease is certain by this node's own clock. While it is not (Redis away, the process was frozen),
   * nothing may be committed: `whenCertain` resolves when the lease was renewed; if it was lost, `fenced` and `reborn` come
   * first. It never settles when the node leaves before.
   */
  readonly isCertain: boolean;
  whenCertain(): Promise<void>;

  /**
   * Notes that this node serves the client, before it claims the session, so that a burial finds it. Rejects with `fenced`
   * when this life is being buried, with `store-unavailable` while Redis is away.
   */
  serve(clientId: string): Promise<void>;
  /** The client is not served here any more. Batched, may be late. */
  unserve(clientId: string): void;

  /** Takes a lease and joins. */
  start(handlers: ClusterHandlers): Promise<void>;
  /** Stops taking part in roles and burials; the lease goes on until `leave`. */
  retire(): Promise<void>;
  /** Gives the lease up in order: nobody has to bury this node, unless it leaves clients behind that were not released. */
  leave(): Promise<void>;
  /** Sends a word to one node (or all, this one included: null) over the control bus; it may be lost. */
  tell(to: Incarnation | null, word: string, body: unknown): void;
}
