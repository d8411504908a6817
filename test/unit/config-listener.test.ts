import assert from 'node:assert/strict';
import { parseListenerUrl } from '../../src/config/listener.ts';
import { resolveConfig } from '../../src/config/load.ts';

function problems(listener: unknown): string[] {
  try {
    resolveConfig({ document: { name: 'f', values: { listeners: [listener] } } });
    return [];
  } catch (error) {
    return (error as Error).message.split('\n').slice(1).map((line) => line.trim());
  }
}

describe('a listener', () => {
  it('has the default port and path of its scheme', () => {
    const urls = ['mqtt://localhost', 'MQTTS://localhost', 'ws://localhost', 'wss://localhost/', 'ws://localhost:80/a/b', 'mqtt://[::1]:5'];
    assert.deepEqual(urls.map((url) => parseListenerUrl(url)), [
      { url: 'mqtt://localhost:1883', scheme: 'mqtt', host: 'localhost', port: 1883, path: '' },
      { url: 'mqtts://localhost:8883', scheme: 'mqtts', host: 'localhost', port: 8883, path: '' },
      { url: 'ws://localhost:8083/mqtt', scheme: 'ws', host: 'localhost', port: 8083, path: '/mqtt' },
      { url: 'wss://localhost:8084/mqtt', scheme: 'wss', host: 'localhost', port: 8084, path: '/mqtt' },
      { url: 'ws://localhost:80/a/b', scheme: 'ws', host: 'localhost', port: 80, path: '/a/b' },
      { url: 'mqtt://[::1]:5', scheme: 'mqtt', host: '::1', port: 5, path: '' },
    ]);
  });

  it('is refused when its URL is none', () => {
    for (const url of ['', '1883', '127.0.0.1:1883', 'tcp://h:1', 'mqtt://', 'mqtt://:1883', 'mqtt://u:p@h', 'mqtt://h:x', 'mqtt://::1:5', 'ws://h/a?b']) {
      assert.ok('problem' in parseListenerUrl(url), url);
    }
    assert.match(problems('mqtt://127.0.0.1:65536').join(), /no such port/);
    assert.match(problems('mqtt://127.0.0.1/mqtt').join(), /remove \/mqtt/);
  });

  it('needs a certificate and a key when it is to encrypt', () => {
    const [cert, key, ...others] = problems('mqtts://127.0.0.1');
    assert.match(cert ?? '', /^listeners\[0\]\.tls\.certFile .*--tls-cert/);
    assert.match(key ?? '', /^listeners\[0\]\.tls\.keyFile .*--tls-key/);
    assert.deepEqual(others, []);
    assert.deepEqual(problems({ url: 'wss://127.0.0.1', tls: { certFile: 'c', keyFile: 'k' } }), []);
  });

  it('has no certificate when it does not encrypt', () => {
    assert.match(problems({ url: 'ws://127.0.0.1', tls: { certFile: 'c', keyFile: 'k' } }).join(), /use wss:\/\//);
  });

  it('needs authorities to check client certificates', () => {
    const tls = { certFile: 'c', keyFile: 'k', requestCertificate: true };
    assert.match(problems({ url: 'mqtts://127.0.0.1', tls }).join(), /tls\.caFile/);
    assert.deepEqual(problems({ url: 'mqtts://127.0.0.1', tls: { ...tls, caFile: 'a' } }), []);
  });
});
