/**
 * Work with a time: sessions that expire, delayed wills. An entry is only a reminder: whoever handles it looks at the session
 * to see whether it still holds. Times are ms since 1970 on the store's clock.
 */
export interface Due {
  /** Reminds of the client in `inMs` milliseconds; a later call replaces the earlier one. */
  remind(what: 'sessions' | 'wills', clientId: string, inMs: number): Promise<void>;
  /** Clients whose time has come, the earliest first, at most `count`. They stay until `done`. */
  ripe(what: 'sessions' | 'wills', count: number): Promise<string[]>;
  /** Removes what was handled, unless it was set to a later time meanwhile. */
  done(what: 'sessions' | 'wills', clientId: string): Promise<void>;
}
