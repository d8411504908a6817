/** Who asks to come in, as far as the connection tells by itself. */
export interface Visitor {
  readonly clientId: string;
  readonly username: string | null;
  readonly password: Buffer | null;
  /** of the network peer; null when there is none */
  readonly address: string | null;
  /** The connection is closed: what was not begun for it may be left out. */
  isGone(): boolean;
}

/** Who it is, once that is proven. */
export interface Identity {
  /** null: anonymous */
  readonly username: string | null;
}

export const anonymous: Identity = { username: null };
