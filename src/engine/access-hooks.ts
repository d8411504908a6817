import { Socket } from 'node:net';
import type { Access } from '../auth/access.ts';
import type { Step } from '../auth/exchange.ts';
import type { Identity, Visitor } from '../auth/identity.ts';
import type { Connect } from '../codec/connect.ts';
import type { Connection } from './connection.ts';
import { noHooks, type Exchange, type ExchangeStep, type Hooks } from './hooks.ts';

/** The configured authentication on the engine's port. */
export function accessHooks(access: Access): Hooks {
  const admit = (connection: Connection, identity: Identity): void => {
    connection.username = identity.username;
  };
  return {
    ...noHooks,

    authenticate(connection, connect) {
      const identity = access.authenticate(visitorOf(connection, connect));
      if (identity instanceof Promise) return identity.then((known) => { admit(connection, known); });
      admit(connection, identity);
    },

    beginExchange(connection, method, connect): Exchange {
      const visitor = visitorOf(connection, connect);
      const exchange = access.exchange(method, visitor);
      const read = ({ data, identity }: Step): ExchangeStep => {
        if (identity === null) return { data, isLast: false };
        if (connect !== null) admit(connection, identity);
        else if (identity.username !== connection.username) throw access.refuseOther(visitor, identity.username);
        return { data, isLast: true };
      };
      return {
        step(data) {
          const step = exchange.step(data);
          return step instanceof Promise ? step.then(read) : read(step);
        },
      };
    },
  };
}

function visitorOf(connection: Connection, connect: Connect | null): Visitor {
  return {
    clientId: connection.clientId,
    username: connect?.username ?? null,
    password: connect?.password ?? null,
    address: addressOf(connection),
    isGone: () => connection.state === 'closed',
  };
}

function addressOf({ stream, request }: Connection): string | null {
  const socket = request?.socket ?? stream;
  return socket instanceof Socket ? (socket.remoteAddress ?? null) : null;
}
