import assert from 'node:assert/strict';
import { parseAcl } from '../../src/auth/acl-file.ts';
import { Permit } from '../../src/auth/permit.ts';
import { fillIn, fits } from '../../src/auth/rule.ts';
import { Rules } from '../../src/auth/rules.ts';
import { refuses } from '../support/codec.ts';

interface Who {
  readonly client?: string;
  readonly user?: string | null;
  readonly allowsByDefault?: boolean;
}

function permit(text: string, { client = 'c', user = null, allowsByDefault = false }: Who = {}): Permit {
  return new Permit({ rules: new Rules(parseAcl(text, 'acl')), allowsByDefault }, client, user);
}

const mayPublish = (text: string, topic: string, who?: Who): boolean => permit(text, who).mayPublish(topic, 0, false);
const maySubscribe = (text: string, filter: string, who?: Who): boolean => permit(text, who).maySubscribe(filter, 0);

describe('an access list', () => {
  it('lets the first rule that fits decide, and the default where none does', () => {
    const text = 'deny topic a/secret\nallow topic a/+\ndeny topic a/b';
    assert.equal(mayPublish(text, 'a/b'), true);
    assert.equal(mayPublish(text, 'a/secret'), false);
    assert.equal(mayPublish(text, 'b'), false);
    assert.equal(mayPublish(text, 'b', { allowsByDefault: true }), true);
    assert.equal(mayPublish('', 'b'), false);
  });

  it('tells clients apart by user, by client id, by patterns of both, and by having no user', () => {
    const text = ['allow user=anna topic u', 'allow client=car-* topic c', 'allow user=dev-*-x client=*7 topic both', 'allow anonymous topic none', 'allow user="anna maria" topic quoted'].join('\n');
    const cases: [string, Who, boolean][] = [
      ['u', { user: 'anna' }, true],
      ['u', { user: 'Anna' }, false],
      ['u', {}, false],
      ['c', { client: 'car-' }, true],
      ['c', { client: 'car-7' }, true],
      ['c', { client: 'xcar-7' }, false],
      ['both', { user: 'dev-1-x', client: '17' }, true],
      ['both', { user: 'dev-1-x', client: '18' }, false],
      ['both', { user: 'dev-x', client: '17' }, false],
      ['none', {}, true],
      ['none', { user: 'anna' }, false],
      ['quoted', { user: 'anna maria' }, true],
    ];
    for (const [topic, who, allowed] of cases) assert.equal(mayPublish(text, topic, who), allowed, `${topic} ${JSON.stringify(who)}`);
  });

  it('keeps the order of rules, whoever they are for', () => {
    const text = 'deny client=c topic a\nallow topic a\ndeny user=anna topic a\nallow client=c topic b\ndeny topic b';
    assert.equal(mayPublish(text, 'a', { client: 'c', user: 'anna' }), false);
    assert.equal(mayPublish(text, 'a', { client: 'd', user: 'anna' }), true);
    assert.equal(mayPublish(text, 'b', { client: 'c', user: 'anna' }), true);
    assert.equal(mayPublish(text, 'b', { client: 'd' }), false);
  });

  it('tells publishing from subscribing, and QoS and RETAIN apart', () => {
    const text = 'allow action=publish qos=0,1 retain=no topic p\nallow action=subscribe qos=1 topic s';
    const own = permit(text);
    assert.deepEqual([0, 1, 2].map((qos) => own.mayPublish('p', qos, false)), [true, true, false]);
    assert.equal(own.mayPublish('p', 0, true), false);
    assert.deepEqual([0, 1, 2].map((qos) => own.maySubscribe('s', qos)), [false, true, false]);
    assert.equal(own.mayPublish('s', 1, false), false);
    assert.equal(own.maySubscribe('p', 1), false);
  });

  it('allows a subscription only when a rule allows all that it would bring', () => {
    const text = 'allow topic a/+/c\nallow topic d/#';
    for (const filter of ['a/+/c', 'a/b/c', 'd', 'd/#', 'd/+/e', 'd/e/#', '$share/g/a/b/c', '$share/g/d/#']) assert.equal(maySubscribe(text, filter), true, filter);
    for (const filter of ['#', '+', 'a/#', 'a/+/+', 'a/b/#', '+/b/c', '+/#', '$share/g/#', '$share/g', '$SYS/#', '+/+/c']) assert.equal(maySubscribe(text, filter), false, filter);
  });

  it('denies a subscription that would bring anything that is denied', () => {
    const text = 'deny topic secret/+/x\nallow topic #';
    for (const filter of ['#', '+/#', 'secret/#', '+/a/x', 'secret/+/+', 'secret/a/x', '$share/g/secret/#']) assert.equal(maySubscribe(text, filter), false, filter);
    for (const filter of ['secret', 'secret/a', 'secret/a/y', '+/+', 'a/#', 'secret/+/y/#']) assert.equal(maySubscribe(text, filter), true, filter);
  });

  it('keeps topics that begin with $ out of wildcards, and in what names no topic', () => {
    assert.equal(maySubscribe('allow topic #', '$SYS/#'), false);
    assert.equal(maySubscribe('allow topic +/x', '$SYS/x'), false);
    assert.equal(maySubscribe('allow topic $SYS/#', '$SYS/broker/+'), true);
    assert.equal(maySubscribe('allow', '$SYS/#'), true);
    assert.equal(maySubscribe('deny client=c\nallow topic $SYS/#', '$SYS/#'), false);
    assert.equal(maySubscribe('deny topic $SYS/#\nallow', '#'), true);
  });

  it('puts names into filters, and no name can reach what is not its own', () => {
    const text = 'allow topic clients/${clientid}/#\nallow topic users/${username}-inbox\nallow topic ${username}/#';
    assert.equal(mayPublish(text, 'clients/c/x'), true);
    assert.equal(mayPublish(text, 'clients/d/x'), false);
    assert.equal(mayPublish(text, 'users/anna-inbox', { user: 'anna' }), true);
    assert.equal(mayPublish(text, 'users/-inbox'), false);
    assert.equal(maySubscribe(text, '/#'), false);
    for (const name of ['+', '#', 'd/#', 'a+b', 'd/..', '/', '']) {
      for (const topic of ['clients/d/x', 'clients/+/x', 'clients//x', `clients/${name}/x`]) assert.equal(mayPublish(text, topic, { client: name }), false, `${name} ${topic}`);
      assert.equal(maySubscribe(text, `clients/${name}/#`, { client: name }), false, name);
    }
    assert.equal(maySubscribe(text, '$SYS/#', { user: '$SYS' }), false);
    assert.equal(fillIn('a/${clientid}', '$x', null), 'a/$x');
  });

  it('denies everything to a client whose name cannot stand in a rule that denies', () => {
    const text = 'deny topic private/${clientid}/#\nallow topic #';
    assert.equal(mayPublish(text, 'a', { client: 'c' }), true);
    assert.equal(mayPublish(text, 'a', { client: 'c/d' }), false);
    assert.equal(maySubscribe(text, 'a', { client: '+' }), false);
  });

  it('follows its rules when they change, decisions that are remembered too', () => {
    const source = { rules: new Rules(parseAcl('allow topic a', 'acl')), allowsByDefault: false };
    const own = new Permit(source, 'c', null);
    assert.deepEqual([own.mayPublish('a', 0, false), own.maySubscribe('a', 0)], [true, true]);
    source.rules = new Rules(parseAcl('allow topic b', 'acl'));
    assert.deepEqual([own.mayPublish('a', 0, false), own.maySubscribe('a', 0), own.mayPublish('b', 0, false)], [false, false, true]);
  });

  it('decides a thousand topics the same the second time', () => {
    const own = permit('deny topic t/7/#\nallow topic t/#');
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1000; i++) assert.equal(own.mayPublish(`t/${i}`, 0, false), i !== 7);
    }
  });

  it('with a rule for each of 100,000 users is searched by name', () => {
    const rules = new Rules(parseAcl(Array.from({ length: 100_000 }, (_, i) => `allow user=u${i} topic u/${i}`).join('\n'), 'acl'));
    assert.equal(rules.of('c', 'u99999').length, 1);
    const started = performance.now();
    for (let i = 0; i < 10_000; i++) rules.of('c', `u${i}`);
    assert.ok(performance.now() - started < 2_000);
  });

  it('is refused with every line that is wrong', () => {
    const lines: [string, RegExp][] = [
      ['permit topic a', /neither with allow nor with deny/],
      ['allow topic a/#/b', /"a\/#\/b" where a topic filter should be/],
      ['allow topic ${user}/a', /placeholder that is not/],
      ['allow topic ${clientid', /placeholder that is not/],
      ['allow a/b', /unknown condition at "a\/b"/],
      ['allow topic', /unknown condition at "topic"/],
      ['allow ip=1.2.3.4 topic a', /unknown condition at "ip=/],
      ['allow user=a user=b topic a', /says user twice/],
      ['allow user="a topic a', /unknown condition/],
      ['allow user="\\x" topic a', /broken quotation/],
      ['allow anonymous user=a', /no client is both/],
      ['allow action=read topic a', /not publish or subscribe/],
      ['allow qos=3 topic a', /list of 0, 1 and 2/],
      ['allow retain=maybe topic a', /not yes or no/],
    ];
    for (const [line, why] of lines) refuses('config-invalid', why, () => parseAcl(line, 'acl'));
    refuses('config-invalid', /^acl: line 1 .*; line 4 /, () => parseAcl('allow x\n# comment\n\nallow y', 'acl'));
    assert.equal(parseAcl('  allow   user=a   topic with blanks in it  \n', 'acl')[0]!.filter, 'with blanks in it');
  });
});

describe('an access list of mosquitto', () => {
  const text = [
    '# what everybody without a name may do',
    'topic read public/#',
    'user anna',
    'topic anna/#',
    'topic deny anna/locked',
    'topic write log',
    'user otto maria',
    'topic readwrite otto',
    'pattern read status/%c/#',
    'pattern write users/%u/%c',
    'pattern deny users/%u/none',
  ].join('\n');

  it('is understood as mosquitto does', () => {
    const cases: [string, Who, boolean, boolean][] = [
      ['public/x', {}, false, true],
      ['public/x', { user: 'anna' }, false, false],
      ['anna/x', { user: 'anna' }, true, true],
      ['anna/locked', { user: 'anna' }, false, false],
      ['log', { user: 'anna' }, true, false],
      ['otto', { user: 'otto maria' }, true, true],
      ['status/c/x', { user: 'otto maria' }, false, true],
      ['status/d/x', { user: 'otto maria' }, false, false],
      ['users/zoe/c', { user: 'zoe' }, true, false],
      ['users/zoe/none', { user: 'zoe', client: 'none' }, false, false],
    ];
    for (const [topic, who, publishes, subscribes] of cases) {
      assert.deepEqual([mayPublish(text, topic, who), maySubscribe(text, topic, who)], [publishes, subscribes], `${topic} ${JSON.stringify(who)}`);
    }
  });

  it('is refused with every line that is wrong', () => {
    for (const [line, why] of [
      ['allow topic a', /as the lines of mosquitto do/],
      ['topic reed a', /access that is not/],
      ['topic read a/#/b', /topic filter/],
      ['user a*', /stand for any text/],
      ['topic read ${clientid}', /would be a placeholder/],
    ] as const) {
      refuses('config-invalid', why, () => parseAcl(`topic read a\n${line}`, 'acl'));
    }
  });
});

describe('a pattern of names', () => {
  it('takes * for any text, and time that grows with the length alone', () => {
    const cases: [string, string, boolean][] = [
      ['*', '', true],
      ['a*b', 'ab', true],
      ['a*b', 'acb', true],
      ['a*b', 'a', false],
      ['ab*ba', 'aba', false],
      ['*a*b*', 'xaxbx', true],
      ['*a*b*', 'xbxax', false],
      ['a**b', 'ab', true],
      ['a*', 'b', false],
    ];
    for (const [pattern, name, fit] of cases) assert.equal(fits({ pattern }, name), fit, `${pattern} ${name}`);
    const started = performance.now();
    assert.equal(fits({ pattern: `${'*a'.repeat(1000)}*b` }, 'a'.repeat(65_000)), false);
    assert.ok(performance.now() - started < 1_000);
  });
});
