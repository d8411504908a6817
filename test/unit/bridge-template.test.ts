import assert from 'node:assert/strict';
import { Message, noBytes } from '../../src/base/message.ts';
import { compileTemplate } from '../../src/bridge/template.ts';

const message = new Message('vehicles/VIN7/telemetry', noBytes, 1, false, noBytes, 0, 0, 'car-7');

describe('a template of a bridge rule', () => {
  const filled: [string, string][] = [
    ['telemetry', 'telemetry'],
    ['', ''],
    ['${clientid}', 'car-7'],
    ['${topic}', 'vehicles/VIN7/telemetry'],
    ['${topic[1]}', 'vehicles'],
    ['fleet.${topic[2]}.${topic[3]}', 'fleet.VIN7.telemetry'],
    ['${clientid}-${qos}!', 'car-7-1!'],
    ['$topic {qos}', '$topic {qos}'],
  ];
  for (const [text, result] of filled) {
    it(`"${text}" becomes "${result}"`, () => {
      assert.equal(compileTemplate(text, 'here', 3)(message), result);
    });
  }

  const faulty: [string, RegExp][] = [
    ['a.${username}', /^BrokerError: rules\[0\]\.topic: at character 3: \$\{username\} is unknown: there are /],
    ['${topic[0]}', /\$\{topic\[0\]\} is unknown/],
    ['${topic[2', /at character 1: \$\{topic\[2 is not closed/],
    ['${topic[4]}', /\$\{topic\[4\]\} asks for level 4, and the filter lets topics in that have 3$/],
  ];
  for (const [text, fault] of faulty) {
    it(`"${text}" is refused with its place`, () => {
      assert.throws(() => compileTemplate(text, 'rules[0].topic', 3), fault);
    });
  }

  it('an empty level is filled in as nothing', () => {
    const sparse = new Message('a//c', noBytes, 1, false, noBytes, 0, 0, 'x');
    assert.equal(compileTemplate('k${topic[2]}', 'here', 3)(sparse), 'k');
  });
});
