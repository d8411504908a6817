/** What a certificate says of its holder, of what can be a name. */
export interface Certificate {
  /** the common name of its subject */
  readonly cn: string | null;
  /** the first subject alternative name of each kind */
  readonly dns: string | null;
  readonly uri: string | null;
  readonly email: string | null;
  /** hexadecimal, in capitals */
  readonly serial: string;
  /** SHA-256 of the whole, hexadecimal, in small letters */
  readonly fingerprint: string;
}

/** Who asks to come in, as far as the connection tells by itself. */
export interface Visitor {
  readonly clientId: string;
  /** the client left the choice of its id to the node: nobody else can have it */
  readonly hasAssignedId: boolean;
  readonly username: string | null;
  readonly password: Buffer | null;
  /** of the network peer; null when there is none */
  readonly address: string | null;
  /** The certificate that the client has proven to hold, and that an authority of the listener has signed; null without one. */
  certificate(): Certificate | null;
  /** The connection is closed: what was not begun for it may be left out. */
  isGone(): boolean;
}

/** Who it is, once that is proven. */
export interface Identity {
  /** null: anonymous */
  readonly username: string | null;
}

export const anonymous: Identity = { username: null };
