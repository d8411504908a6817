import type { BrokerError, ErrorCode } from '../base/errors.ts';
import { reasons } from '../base/reasons.ts';
import { encodeConnack } from '../codec/connect.ts';
import { encodeDisconnect } from '../codec/disconnect.ts';
import { reasonIn } from '../codec/reason-codes.ts';
import type { Connection } from './connection.ts';

const useAnotherServer = 0x9c;
const longestText = 200;

/** What is never told in words: how our own house stands, why somebody was not let in, and anything in a version we do not speak. */
const untold: ReadonlySet<ErrorCode> = new Set(['store-unavailable', 'bad-credentials', 'not-authorized', 'banned', 'unsupported-protocol']);

/**
 * The last packet to a client: a DISCONNECT to one of MQTT 5 [MQTT-4.13.1-1]; in answer to CONNECT a CONNACK that refuses,
 * which MQTT 3 has only where its return codes have a word for it [MQTT 3.1.1, MQTT-3.2.2-6]. Before CONNECT nothing is said.
 */
export function sayFarewell(connection: Connection, error: BrokerError): void {
  if (connection.state === 'live') {
    if (connection.version === 5) append(connection, disconnect(connection, error));
  } else if (connection.state !== 'new') {
    refuse(connection, error);
  }
}

interface Words {
  readonly code: number;
  readonly text: string | undefined;
  /** where to go instead [MQTT 5, 4.11] */
  readonly elsewhere: string | undefined;
}

function disconnect(connection: Connection, error: BrokerError): Buffer {
  const { text, elsewhere, ...words } = wordsFor(connection, error);
  const code = reasonIn('disconnect', words.code);
  return longestThatFits(connection, [
    () => encodeDisconnect(code, text, elsewhere),
    () => encodeDisconnect(code, undefined, elsewhere),
    () => encodeDisconnect(code),
  ]);
}

function refuse(connection: Connection, error: BrokerError): void {
  const { version, engine } = connection;
  const { v3 } = reasons[error.code];
  if (version !== 5 && v3 === 0) return;
  const words = wordsFor(connection, error);
  const code = version === 5 ? reasonIn('connack', words.code) : v3;
  const connack = (reasonString?: string, serverReference?: string): Buffer =>
    encodeConnack({ sessionPresent: false, reason: code, properties: { reasonString, serverReference } }, version);
  append(
    connection,
    longestThatFits(connection, [() => connack(words.text, words.elsewhere), () => connack(undefined, words.elsewhere), () => connack()]),
  );
  engine.hooks.onConnack?.(connection, code, false);
}

function wordsFor(connection: Connection, error: BrokerError): Words {
  const { temporary, permanent } = connection.engine.config.redirect;
  const isTold = connection.wantsProblemInformation && error.kind !== 'fault' && !untold.has(error.code);
  const text = isTold ? error.message.slice(0, longestText) : undefined;
  const code = reasons[error.code].v5;
  if (error.code === 'server-moved') return { code, text, elsewhere: permanent ?? undefined };
  // no room for one more here, and room for all of them elsewhere
  const isSentAway = error.code === 'node-draining' || (error.code === 'quota-exceeded' && connection.state !== 'live');
  return isSentAway && temporary !== null ? { code: useAnotherServer, text, elsewhere: temporary } : { code, text, elsewhere: undefined };
}

function append({ output, engine }: Connection, packet: Buffer): void {
  output.append(packet);
  engine.count.packetsSent[packet[0]! >> 4]!.value++;
}

/** What only explains is left out of a packet that would be larger than the client takes [MQTT-3.2.2-19], [MQTT-3.14.2-3]. */
function longestThatFits({ maximumPacketBytes }: Connection, forms: readonly (() => Buffer)[]): Buffer {
  let packet!: Buffer;
  for (const form of forms) {
    packet = form();
    if (maximumPacketBytes === 0 || packet.length <= maximumPacketBytes) break;
  }
  return packet;
}
