import assert from 'node:assert/strict';
import { BrokerError } from '../../src/base/errors.ts';
import type { RefusalReason } from '../../src/auth/refusals.ts';
import { ScramExchange, type ScramUsers } from '../../src/auth/scram.ts';
import { decoyVerifier, formatVerifier, makeVerifier, parseVerifier, type ScramVerifier } from '../../src/auth/scram-verifier.ts';
import { refuses } from '../support/codec.ts';
import { ScramClient, type ScramManners } from '../support/scram.ts';

const vector = {
  clientNonce: 'rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
  first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  final: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  last: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};

const decoyKey = Buffer.alloc(32, 7);

describe('SCRAM-SHA-256, the server', () => {
  const verifiers = new Map<string, ScramVerifier>();
  const users: ScramUsers = {
    find(username) {
      const verifier = verifiers.get(username);
      return { verifier: verifier ?? decoyVerifier(decoyKey, username, 4096), isKnown: verifier !== undefined };
    },
  };
  let refusals: RefusalReason[] = [];
  const begin = (nonce?: string): ScramExchange =>
    new ScramExchange(
      users,
      (reason) => {
        refusals.push(reason);
        return new BrokerError('not-authorized', 'refused');
      },
      nonce,
    );
  /** A whole exchange; gives who it was. */
  const run = (username: string, password: string, manners?: ScramManners): string | null => {
    const client = new ScramClient(username, password, manners);
    const exchange = begin();
    const challenge = exchange.step(client.first());
    assert.equal(challenge.identity, null);
    const last = exchange.step(client.final(challenge.data!));
    client.verify(last.data!);
    return last.identity!.username;
  };

  before(async () => {
    verifiers.set('user', (await makeVerifier('pencil', 4096, vector.salt))!);
    verifiers.set('a,b=c', (await makeVerifier('comma', 4096))!);
  });
  beforeEach(() => {
    refusals = [];
  });

  it('gives the messages of the example in RFC 7677', () => {
    const exchange = begin(vector.serverNonce);
    assert.deepEqual(exchange.step(Buffer.from(vector.first)), { data: Buffer.from(vector.challenge), identity: null });
    assert.deepEqual(exchange.step(Buffer.from(vector.final)), { data: Buffer.from(vector.last), identity: { username: 'user' } });
    const client = new ScramClient('user', 'pencil', { nonce: vector.clientNonce });
    assert.equal(client.first().toString(), vector.first);
    assert.equal(client.final(Buffer.from(vector.challenge)).toString(), vector.final);
    client.verify(Buffer.from(vector.last));
  });

  it('takes names with commas and equals signs, a name to act as that is the same, and a client that would bind channels', () => {
    assert.equal(run('a,b=c', 'comma'), 'a,b=c');
    assert.equal(run('user', 'pencil', { gs2Header: 'n,a=user,' }), 'user');
    assert.equal(run('user', 'pencil', { gs2Header: 'y,,' }), 'user');
    assert.deepEqual(refusals, []);
  });

  it('passes over extensions that it does not know', () => {
    const exchange = begin(vector.serverNonce);
    exchange.step(Buffer.from(`${vector.first},x=whatever`));
    refuses('not-authorized', /refused/, () => exchange.step(Buffer.from(vector.final)));
    assert.deepEqual(refusals, ['scram-wrong-proof'], 'the extension is part of what is signed');
  });

  it('refuses a wrong password, a nonce of another exchange and a changed header', () => {
    for (const [spoil, reason] of [
      [(message: string) => message.replace(/p=./, (start) => (start === 'p=A' ? 'p=B' : 'p=A')), 'scram-wrong-proof'],
      [(message: string) => message.replace(/r=./, 'r=_'), 'scram-wrong-nonce'],
      [(message: string) => message.replace(/r=[^,]+/, `r=${vector.clientNonce}${vector.serverNonce}`), 'scram-wrong-nonce'],
      [(message: string) => message.replace('c=biws', 'c=eSws'), 'scram-channel-binding'],
    ] as const) {
      refusals = [];
      refuses('not-authorized', /refused/, () => run('user', 'pencil', { spoil }));
      assert.deepEqual(refusals, [reason]);
    }
    refuses('not-authorized', /refused/, () => run('user', 'pencil '));
  });

  it('refuses a client that demands channel binding', () => {
    refuses('not-authorized', /refused/, () => begin().step(Buffer.from('p=tls-exporter,,n=user,r=abc')));
    assert.deepEqual(refusals, ['scram-channel-binding']);
  });

  it('challenges an unknown user like any other, always with the same salt, and refuses the proof', () => {
    const challenges = [begin('s'), begin('s'), begin('s')].map((exchange, i) =>
      exchange.step(Buffer.from(`n,,n=${i < 2 ? 'nobody' : 'no one'},r=c`)).data!.toString(),
    );
    assert.match(challenges[0]!, /^r=cs,s=[A-Za-z0-9+/]{22}==,i=4096$/);
    assert.equal(challenges[0], challenges[1]);
    assert.notEqual(challenges[0], challenges[2]);
    refuses('not-authorized', /refused/, () => run('nobody', 'pencil'));
    assert.deepEqual(refusals, ['scram-unknown-user']);
  });

  it('refuses what is no first message, and says why', () => {
    const cases: [string, RegExp][] = [
      ['', /n, y or p=/],
      ['x,,n=user,r=abc', /n, y or p=/],
      ['p=,,n=user,r=abc', /n, y or p=/],
      ['n', /user name \(n=\) is missing/],
      ['n,,', /user name \(n=\) is missing/],
      ['n,user,n=user,r=abc', /neither empty nor a=name/],
      ['n,a=admin,n=user,r=abc', /another user/],
      ['n,,m=ext,n=user,r=abc', /m=/],
      ['n,,r=abc,n=user', /user name \(n=\) is missing/],
      ['n,,n=,r=abc', /user name is empty/],
      ['n,,n=us\u0007er,r=abc', /SASLprep prohibits/],
      ['n,,n=us=er,r=abc', /=2C or =3D/],
      ['n,,n=user', /nonce/],
      ['n,,n=user,r=', /nonce/],
      ['n,,n=user,r=a b', /nonce/],
      ['n,,n=user,r=abc,', /no extension/],
      ['n,,n=user,r=abc,nonsense', /no extension/],
      [`n,,n=user,r=${'a'.repeat(5000)}`, /longer than 4096 bytes/],
      ['n,,n=us\0er,r=abc', /no UTF-8 text/],
    ];
    for (const [message, why] of cases) refuses('protocol-error', why, () => begin().step(Buffer.from(message)));
    refuses('protocol-error', /no UTF-8 text/, () => begin().step(Buffer.from('6e2c2c6e3dff2c723d61', 'hex')));
    refuses('protocol-error', /missing/, () => begin().step(null));
  });

  it('refuses what is no second message, and says why', () => {
    const cases: [string, RegExp][] = [
      ['', /c=/],
      ['r=x,c=biws,p=AAAA', /c=/],
      ['c=biws,p=AAAA', /r=/],
      ['c=biws,r=x', /p=/],
      ['c=biws,r=x,p=AAAA', /32 bytes/],
      ['c=biws,r=x,p=!!!!', /32 bytes/],
      ['c=biws,r=x,,p=AAAA', /no extension/],
      [`c=biws,r=x,p=${Buffer.alloc(33).toString('base64')}`, /32 bytes/],
    ];
    for (const [message, why] of cases) {
      const exchange = begin();
      exchange.step(Buffer.from(vector.first));
      refuses('protocol-error', why, () => exchange.step(Buffer.from(message)));
      refuses('protocol-error', /is over/, () => exchange.step(Buffer.from(vector.final)));
    }
  });

  it('does nothing more once the client is known', () => {
    const exchange = begin(vector.serverNonce);
    exchange.step(Buffer.from(vector.first));
    exchange.step(Buffer.from(vector.final));
    refuses('protocol-error', /is over/, () => exchange.step(Buffer.from(vector.final)));
  });
});

describe('a SCRAM verifier', () => {
  it('is written and read', async () => {
    const verifier = await makeVerifier('pencil', 4096);
    assert.deepEqual(parseVerifier(formatVerifier(verifier!)), verifier);
    assert.doesNotMatch(formatVerifier(verifier!), /pencil/);
  });

  it('is not read with fewer than 4,096 iterations, with too many, or when a part of it is damaged', async () => {
    const text = formatVerifier((await makeVerifier('pencil', 4096))!);
    const damaged = [text.replace('4096', '4095'), text.replace('4096', '99999999'), text.replace('4096', '4e3'), `${text}$AAAA`, text.slice(0, -4), text.replace(/\$[^$]+$/, '$')];
    for (const bad of [...damaged, '$scram-sha-256$', '$scram-sha-1$4096', '']) assert.equal(parseVerifier(bad), null, bad);
  });

  it('is not made of a password that SCRAM cannot carry', async () => {
    assert.equal(await makeVerifier('bell\u0007', 4096), null);
  });
});
