import assert from 'node:assert/strict';
import { openPackets } from '../support/packets.ts';
import { codeOf, enter, message, nodeFor, subscribe, take } from './conversation.ts';

describe('Response information', () => {
  const node = nodeFor({ set: { 'mqtt.responseInformation': 'responses/${clientid}' } });
  const told = async (clientId: string, properties?: object): Promise<string | undefined> => {
    const client = await openPackets(node().port, 5);
    const connack = await client.connect({ clientId, ...(properties === undefined ? {} : { properties }) });
    assert.equal(codeOf(connack), 0);
    client.destroy();
    return connack.properties?.responseInformation;
  };

  it('is given to a client that asks for it, with its own name in it', async () => {
    assert.equal(await told('asks', { requestResponseInformation: true }), 'responses/asks');
  });

  it('has the client identifier that the server assigned', async () => {
    const client = await openPackets(node().port, 5);
    const { properties } = await client.connect({ clientId: '', properties: { requestResponseInformation: true } });
    assert.equal(properties?.responseInformation, `responses/${properties?.assignedClientIdentifier}`);
  });

  it('is not given to a client that does not ask [MQTT-3.1.2-28]', async () => {
    assert.equal(await told('silent'), undefined);
    assert.equal(await told('denies', { requestResponseInformation: false }), undefined);
  });

  it('is not given to a client whose name does not make a level of a topic', async () => {
    for (const clientId of ['a/b', 'plus+', '#', 'other/#']) assert.equal(await told(clientId, { requestResponseInformation: true }), undefined);
  });

  it('makes a round of request and response, with response topic and correlation data unaltered [MQTT-3.3.2-15], [MQTT-3.3.2-16]', async () => {
    const requester = await openPackets(node().port, 5);
    const { properties } = await requester.connect({ clientId: 'requester', properties: { requestResponseInformation: true } });
    const responseTopic = `${properties!.responseInformation!}/42`;
    await subscribe(requester, responseTopic, 1);
    const responder = await enter(node(), 5);
    await subscribe(responder, 'requests', 1);
    const correlationData = Buffer.from([0, 0xff, 0x80, 42]);
    requester.send(message('requests', 'how warm?', 0, { properties: { responseTopic, correlationData } }));
    const request = await take(responder, { payload: 'how warm?' });
    assert.equal(request.properties?.responseTopic, responseTopic);
    assert.deepEqual(request.properties?.correlationData, correlationData);
    const answer = message(request.properties.responseTopic, '21', 0, { properties: { correlationData: request.properties.correlationData } });
    responder.send(answer);
    const response = await take(requester, { topic: responseTopic, payload: '21' });
    assert.deepEqual(response.properties?.correlationData, correlationData);
  });
});

describe('Response information, when none is configured', () => {
  const node = nodeFor();

  it('is not given to anyone', async () => {
    const client = await openPackets(node().port, 5);
    assert.equal((await client.connect({ properties: { requestResponseInformation: true } })).properties?.responseInformation, undefined);
  });
});
