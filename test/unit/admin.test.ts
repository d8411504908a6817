import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { openAdmin, type Admin } from '../../src/admin/server.ts';
import { Health, type Verdict } from '../../src/admin/health.ts';
import { BrokerError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';

describe('admin: health', () => {
  it('a question that nobody has a say in is ok', () => {
    assert.deepEqual(new Health().report('live'), { status: 'ok', concerns: [] });
  });

  it('one concern that fails makes the answer failing, the others keep theirs', () => {
    const health = new Health();
    health.add('ready', 'redis', () => ({ ok: false, reason: 'away for 3 s' }));
    health.add('ready', 'drain', () => ({ ok: true }));
    assert.deepEqual(health.report('ready'), {
      status: 'failing',
      concerns: [
        { name: 'redis', ok: false, reason: 'away for 3 s' },
        { name: 'drain', ok: true },
      ],
    });
    assert.equal(health.report('live').status, 'ok');
  });

  it('a check that throws is a concern that fails', () => {
    const health = new Health();
    health.add('live', 'loop', () => {
      throw new Error('no figure');
    });
    assert.deepEqual(health.report('live'), {
      status: 'failing',
      concerns: [{ name: 'loop', ok: false, reason: 'the check failed: no figure' }],
    });
  });

  it('a question takes each name once', () => {
    const health = new Health();
    health.add('ready', 'redis', () => ({ ok: true }));
    health.add('live', 'redis', () => ({ ok: true }));
    assert.throws(
      () => {
        health.add('ready', 'redis', () => ({ ok: true }));
      },
      (error) => error instanceof BrokerError && error.code === 'internal',
    );
  });
});

describe('admin: server', () => {
  let admin: Admin;
  let metrics: Metrics;
  let redis: Verdict;

  beforeEach(async () => {
    metrics = new Metrics({ node: 'n1' });
    redis = { ok: true };
    const health = new Health();
    health.add('ready', 'redis', () => redis);
    admin = await openAdmin({ host: '127.0.0.1', port: 0, log: silentLog, metrics, health });
  });

  afterEach(() => admin.close());

  for (const question of ['live', 'ready', 'started']) {
    it(`/health/${question} answers 200 while all is well`, async () => {
      const answer = await fetch(`${admin.address}/health/${question}`);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      const report = (await answer.json()) as { status: string };
      assert.equal(report.status, 'ok');
    });
  }

  it('a failing concern turns its question to 503 with the reason, and back', async () => {
    redis = { ok: false, reason: 'away for 3 s' };
    const failing = await fetch(`${admin.address}/health/ready`);
    assert.equal(failing.status, 503);
    assert.deepEqual(await failing.json(), {
      status: 'failing',
      concerns: [{ name: 'redis', ok: false, reason: 'away for 3 s' }],
    });
    assert.equal((await fetch(`${admin.address}/health/live`)).status, 200);

    redis = { ok: true };
    assert.equal((await fetch(`${admin.address}/health/ready`)).status, 200);
  });

  it('HEAD gives the status without a body', async () => {
    redis = { ok: false };
    const answer = await fetch(`${admin.address}/health/ready`, { method: 'HEAD' });
    assert.equal(answer.status, 503);
    assert.equal(await answer.text(), '');
  });

  it('/metrics is the Prometheus page with the labels of the node', async () => {
    metrics.counter('swarmq_connects_total', 'Clients connected').value += 7;
    const answer = await fetch(`${admin.address}/metrics`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await answer.text(), /^swarmq_connects_total\{node="n1"\} 7$/m);
  });

  it('answers are counted by status', async () => {
    await (await fetch(`${admin.address}/nowhere`)).text();
    const page = await (await fetch(`${admin.address}/metrics`)).text();
    assert.match(page, /^swarmq_admin_requests_total\{status="404",node="n1"\} 1$/m);
  });

  it('a page that cannot be made is a 500 without details', async () => {
    metrics.gauge('swarmq_broken_state', 'Throws when read', () => {
      throw new Error('secret detail');
    });
    const answer = await fetch(`${admin.address}/metrics`);
    assert.equal(answer.status, 500);
    assert.deepEqual(await answer.json(), { error: 'internal' });
  });

  it('an unknown path is a 404 that names the known ones', async () => {
    const answer = await fetch(`${admin.address}/health`);
    assert.equal(answer.status, 404);
    assert.deepEqual(await answer.json(), {
      error: 'not found',
      paths: ['/health/live', '/health/ready', '/health/started', '/metrics'],
    });
  });

  for (const [method, path] of [
    ['POST', '/health/live'],
    ['DELETE', '/metrics'],
    ['PUT', '/nowhere'],
  ] as const) {
    it(`${method} ${path} is refused`, async () => {
      const body = method === 'DELETE' ? undefined : 'x'.repeat(100_000);
      const answer = await fetch(`${admin.address}${path}`, { method, ...(body === undefined ? {} : { body }) });
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.get('allow'), 'GET, HEAD');
    });
  }

  it('oversized headers are refused and the next request is served', async () => {
    const answer = await fetch(`${admin.address}/health/live`, { headers: { 'x-long': 'x'.repeat(10_000) } });
    assert.equal(answer.status, 431);
    assert.equal((await fetch(`${admin.address}/health/live`)).status, 200);
  });

  it('bytes that are no HTTP are answered with 400 and cut', async () => {
    const { hostname, port } = new URL(admin.address);
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.write(Buffer.from([0x10, 0x0c, 0x00, 0x04, 0x4d, 0x51, 0x54, 0x54, 0x0d, 0x0a, 0x0d, 0x0a]));
    await once(socket, 'close');
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 400 /);
  });

  it('close cuts a connection that sent half a request', async () => {
    const { hostname, port } = new URL(admin.address);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write('GET /health/live HTTP/1.1\r\n');
    const gone = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
    await admin.close();
    await gone;
    await assert.rejects(fetch(`${admin.address}/health/live`));
  });

  it('a taken port is a config-invalid that names the address', async () => {
    const { hostname, port } = new URL(admin.address);
    await assert.rejects(
      openAdmin({ host: hostname, port: Number(port), log: silentLog, metrics: new Metrics(), health: new Health() }),
      (error) =>
        error instanceof BrokerError && error.code === 'config-invalid' && error.message.includes(`${hostname}:${port}`),
    );
  });
});
