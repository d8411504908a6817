import type { Access } from '../auth/access.ts';
import type { AccessList } from '../auth/access-list.ts';
import type { Step } from '../auth/exchange.ts';
import type { Identity } from '../auth/identity.ts';
import { BrokerError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import type { Connect } from '../codec/connect.ts';
import type { SubscribeRequest } from '../codec/subscribe.ts';
import type { Connection } from './connection.ts';
import { noHooks, type Exchange, type ExchangeStep, type Hooks } from './hooks.ts';
import { visitorOf } from './visitor.ts';

// one for all: an error made for each message would cost more than the message
const notAllowed = new BrokerError('not-authorized', 'the access list does not allow it');
const ownTopics = new BrokerError('not-authorized', "$SYS/ is the broker's own");

/** The configured authentication and access list on the engine's port. */
export function accessHooks(access: Access): Hooks {
  const { list } = access;
  return {
    ...noHooks,
    authenticate(connection, connect) {
      const identity = access.authenticate(visitorOf(connection, connect));
      if (identity instanceof Promise) return identity.then((known) => { admit(access, connection, connect, known); });
      admit(access, connection, connect, identity);
    },
    beginExchange: (connection, method, connect) => beginExchange(access, connection, method, connect),
    authorizePublish: list === null ? null : (connection, message) => authorizePublish(list, connection, message),
    authorizeSubscribe: list === null ? null : (connection, request) => authorizeSubscribe(list, connection, request),
  };
}

/** The client is known. What it may do includes its will, which others may have to publish when it is gone. */
function admit(access: Access, connection: Connection, connect: Connect, identity: Identity): void {
  access.checkClientId(visitorOf(connection, connect), identity);
  const { list } = access;
  const { will } = connect;
  const { username } = identity;
  connection.username = username;
  if (list === null) return;
  connection.permit = list.permitFor(connection.clientId, username);
  if (will !== null && !connection.permit.mayPublish(will.topic, will.qos, will.retain)) {
    list.noteDenied('will', connection.clientId, username, will.topic);
    throw new BrokerError('not-authorized', 'CONNECT: the access list does not allow the will');
  }
}

function beginExchange(access: Access, connection: Connection, method: string, connect: Connect | null): Exchange {
  const visitor = visitorOf(connection, connect);
  const exchange = access.exchange(method, visitor);
  const read = ({ data, identity }: Step): ExchangeStep => {
    if (identity === null) return { data, isLast: false };
    if (connect !== null) admit(access, connection, connect, identity);
    else if (identity.username !== connection.username) throw access.refuseOther(visitor, identity.username);
    return { data, isLast: true };
  };
  return {
    step(data) {
      const step = exchange.step(data);
      return step instanceof Promise ? step.then(read) : read(step);
    },
  };
}

function authorizePublish(list: AccessList, connection: Connection | null, message: Message): Message {
  const { topic, qos, retain } = message;
  // a will whose client is not here was allowed at its CONNECT
  if (connection?.permit?.mayPublish(topic, qos, retain) === false) {
    list.noteDenied('publish', connection.clientId, connection.username, topic);
    throw notAllowed;
  }
  if (topic.startsWith('$SYS/')) throw ownTopics;
  return message;
}

function authorizeSubscribe(list: AccessList, { permit, clientId, username }: Connection, request: SubscribeRequest): SubscribeRequest | null {
  if (permit?.maySubscribe(request.filter, request.qos) !== false) return request;
  list.noteDenied('subscribe', clientId, username, request.filter);
  return null;
}
