import assert from 'node:assert/strict';
import { parser } from 'mqtt-packet';
import { encodeMember } from '../../src/engine/groups.ts';
import { sessionRoute } from '../../src/engine/routes.ts';
import { attachClient, engineAlone } from '../support/engine-alone.ts';
import { eventually } from '../support/eventually.ts';

const options = { qos: 1, noLocal: false, retainAsPublished: false, ids: Buffer.alloc(0) } as const;

function textsIn(bytes: Buffer): string[] {
  const texts: string[] = [];
  const parse = parser({ protocolVersion: 5 });
  parse.on('packet', (packet) => {
    if (packet.cmd === 'publish') texts.push(packet.payload.toString());
  });
  parse.parse(bytes);
  return texts;
}

describe('A will for a shared subscription', () => {
  it('goes to another member when the session of the chosen one has just ended', async () => {
    const engine = await engineAlone();
    const heir = await attachClient(engine, 'heir', 5, ['$share/heirs/will']);
    // their sessions are gone, and nobody has told this node yet
    for (const gone of ['gone-1', 'gone-2']) engine.routes.change(sessionRoute('$share/heirs/will', gone, 1, encodeMember(options, 'n2')));
    const texts = ['one', 'two', 'three', 'four', 'five', 'six'];
    for (const [i, text] of texts.entries()) {
      const will = { topic: 'will', payload: Buffer.from(text), qos: 1 as const, retain: false };
      const client = await attachClient(engine, 'testator', 5, [], { will });
      client.stream.push(null);
      client.stream.destroy();
      await eventually(() => textsIn(heir.stream.written).length > i, { what: `the will "${text}"` });
    }
    assert.deepEqual(textsIn(heir.stream.written), texts);
  });
});
