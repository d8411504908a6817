import type { Connect, ConnackProperties } from '../codec/connect.ts';
import type { Connection } from './connection.ts';
import { offered } from './offer.ts';
import type { Session } from './session.ts';

/** What the CONNACK of an accepted client of MQTT 5 tells it: what it gets, where that is not what it asked for. */
export function connackProperties(connection: Connection, connect: Connect, session: Session): ConnackProperties {
  const { mqtt } = connection.engine.config;
  const { authentication } = connection;
  const responseInformation = connect.requestResponseInformation ? responseInformationFor(mqtt.responseInformation, connection) : undefined;
  return {
    ...(session.expirySeconds !== connect.sessionExpirySeconds ? { sessionExpirySeconds: session.expirySeconds } : {}),
    receiveMaximum: mqtt.receiveMaximum,
    maximumPacketBytes: mqtt.maxPacketBytes,
    topicAliasMaximum: mqtt.topicAliasMaximum,
    ...(connection.hasAssignedId ? { assignedClientId: session.clientId } : {}),
    ...(connection.keepAliveSeconds !== connect.keepAliveSeconds ? { serverKeepAliveSeconds: connection.keepAliveSeconds } : {}),
    ...offered(mqtt),
    ...(authentication === null ? {} : { authenticationMethod: authentication.method, authenticationData: authentication.lastWord ?? undefined }),
    ...(responseInformation !== undefined ? { responseInformation } : {}),
  };
}

/**
 * The topic under which a client may expect the answers to its requests [MQTT 5, 3.2.2.3.14]. None for a client whose name does
 * not make one level of a topic: with a wildcard it would not be a topic, with a slash it could be another client's.
 */
function responseInformationFor(template: string | null, { clientId, username }: Connection): string | undefined {
  if (template === null) return undefined;
  const names: Readonly<Record<string, string | null>> = { clientid: clientId, username };
  let isWhole = true;
  const topic = template.replace(/\$\{(clientid|username)\}/g, (_, place: string) => {
    const name = names[place] ?? '';
    isWhole &&= name !== '' && !/[+#/]/.test(name);
    return name;
  });
  return isWhole ? topic : undefined;
}
