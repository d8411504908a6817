import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { openAdmin } from '../../src/admin/server.ts';
import { Health } from '../../src/admin/health.ts';
import { BrokerError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { resolveConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import type { Manifest } from '../support/kustomize.ts';
import { manifestFaults } from '../support/manifest-fields.ts';
import { TestProcess } from '../support/process.ts';
import { Rendered, matches, only } from '../support/rendered.ts';

const k8s = fileURLToPath(new URL('../../k8s/', import.meta.url));

describe('k8s', () => {
  for (const folder of ['base', 'overlays/trial']) {
    describe(folder, () => {
      let rendered: Rendered;

      before(() => {
        rendered = new Rendered(join(k8s, folder));
      });

      it('every manifest has the fields of its kind and no others', () => {
        assert.deepEqual(rendered.all.flatMap(manifestFaults), []);
      });

      it('no two manifests of a kind share a name', () => {
        const names = rendered.all.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
        assert.equal(new Set(names).size, names.length, names.join(', '));
      });

      it('every workload selects its own pods and nobody else\'s', () => {
        for (const { metadata, spec } of rendered.workloads) {
          const selected = rendered.workloads.filter((other) => matches(spec.selector, other.spec.template.metadata.labels));
          assert.deepEqual(selected.map((one) => one.metadata.name), [metadata.name]);
          for (const { labelSelector } of spec.template.spec.topologySpreadConstraints ?? []) assert.deepEqual(labelSelector, spec.selector);
        }
      });

      it('every Service finds one workload, and its ports by name', () => {
        for (const { metadata, spec } of rendered.services) {
          const target = only(
            rendered.workloads.filter((one) => matches({ matchLabels: spec.selector }, one.spec.template.metadata.labels)),
            `workload behind Service ${metadata.name}`,
          );
          const open = target.spec.template.spec.containers.flatMap(({ ports }) => ports.map(({ name }) => name));
          // the API server refuses it otherwise
          if (spec.externalTrafficPolicy !== undefined) assert.equal(spec.type, 'LoadBalancer');
          for (const { targetPort } of spec.ports) assert.ok(open.includes(targetPort), `${metadata.name}: no port ${targetPort}`);
        }
      });

      it('every StatefulSet has its headless Service', () => {
        for (const { spec } of rendered.workloads.filter(({ kind }) => kind === 'StatefulSet')) {
          const service = rendered.services.find(({ metadata }) => metadata.name === spec.serviceName);
          assert.equal(service?.spec.clusterIP, 'None');
        }
      });

      it('every probe names a port of its container', () => {
        for (const { ports, startupProbe, readinessProbe, livenessProbe } of rendered.workloads.flatMap((one) => one.spec.template.spec.containers)) {
          for (const { httpGet, tcpSocket } of [startupProbe, readinessProbe, livenessProbe]) {
            const port = httpGet?.port ?? tcpSocket?.port;
            assert.ok(port === undefined || ports.some(({ name }) => name === port), port);
          }
        }
      });

      it('every mounted volume exists, and every volume and its ConfigMap is there and used', () => {
        for (const { spec } of rendered.workloads) {
          const { containers, volumes = [] } = spec.template.spec;
          const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
          const there = [...volumes.map(({ name }) => name), ...(spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)];
          assert.deepEqual(mounted.sort(), there.sort());
          for (const { configMap } of volumes) {
            assert.ok(configMap === undefined || rendered.configMaps.some(({ metadata }) => metadata.name === configMap.name), configMap?.name);
          }
        }
      });

      it('nothing runs as root, gains rights or writes to its image', () => {
        for (const { spec } of rendered.workloads) {
          const { securityContext, containers } = spec.template.spec;
          assert.equal(securityContext.runAsNonRoot, true);
          assert.ok(securityContext.runAsUser > 0);
          for (const container of containers) {
            assert.deepEqual(container.securityContext, {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            });
          }
        }
      });

      it('a disruption may take fewer nodes than there are, and a roll takes none away', () => {
        const { spec } = rendered.nodes;
        const budget = only(rendered.budgets, 'PodDisruptionBudget');
        assert.ok(matches(budget.spec.selector, spec.template.metadata.labels));
        assert.ok(budget.spec.maxUnavailable >= 1 && budget.spec.maxUnavailable < spec.replicas);
        assert.equal(spec.strategy?.rollingUpdate.maxUnavailable, 0);
        assert.ok((spec.strategy?.rollingUpdate.maxSurge ?? 0) >= 1);
      });

      it('the nodes read the mounted file', () => {
        const [mount] = rendered.node.volumeMounts ?? [];
        assert.deepEqual(rendered.node.args, ['start', '--config', `${mount?.mountPath}/swarmq.yaml`]);
      });

      for (const tool of ['kubectl', 'kustomize']) {
        const path = (process.env['PATH'] ?? '').split(delimiter).map((part) => join(part, tool)).find(existsSync);
        if (path === undefined) continue;
        it(`${tool} renders the same`, async function () {
          this.timeout(30_000);
          const args = [tool === 'kubectl' ? 'kustomize' : 'build', join(k8s, folder)];
          const output = await new TestProcess(path, args, { name: tool }).success();
          const theirs = parseAllDocuments(output).map((document) => document.toJS() as Manifest);
          assert.deepEqual(comparable(theirs), comparable(rendered.all));
        });
      }
    });
  }

  describe('the nodes', () => {
    let trial: Rendered;
    const config = (): Config => trial.config('swarmq-6d4cf56db6-x7k2p');

    before(() => {
      trial = new Rendered(join(k8s, 'overlays/trial'));
    });

    it('the trial is a valid configuration, with the name of the pod and the Redis beside it', () => {
      assert.equal(config().node.id, 'swarmq-6d4cf56db6-x7k2p');
      const redis = new URL(config().redis.url ?? '');
      const service = trial.services.find(({ metadata }) => metadata.name === redis.hostname);
      assert.equal(service?.spec.ports[0]?.targetPort, 'redis');
    });

    it('the base lets nobody in by itself: its one fault is the missing authentication', () => {
      const base = new Rendered(join(k8s, 'base'));
      const environment = base.environment('swarmq-6d4cf56db6-x7k2p', { 'swarmq-redis/url': 'redis://redis.example.com:6379' });
      const document = { name: 'swarmq.yaml', values: parse(base.configText) as unknown };
      assert.throws(
        () => resolveConfig({ document, environment }),
        (error) => error instanceof BrokerError && Array.isArray(error.cause) && error.cause.length === 1 && /authentication/.test(error.message),
      );
      resolveConfig({ document, environment: { ...environment, SWARMQ_ALLOW_ANONYMOUS: 'true' } });
    });

    it('the trial, where everyone is let in, has no address outside the cluster', () => {
      for (const { spec } of trial.services) assert.equal(spec.type, 'ClusterIP');
      const [endpoint] = new Rendered(join(k8s, 'base')).services;
      assert.equal(endpoint?.spec.type, 'LoadBalancer');
      assert.equal(endpoint.spec.externalTrafficPolicy, 'Local');
    });

    it('the ports of the container are the ones the configuration opens, on every interface', () => {
      const open = { mqtt: config().listeners[0], admin: config().admin.listen };
      for (const { name, containerPort } of trial.node.ports) {
        const place = open[name as keyof typeof open];
        assert.deepEqual({ host: place?.host, port: place?.port }, { host: '0.0.0.0', port: containerPort });
      }
      assert.equal(trial.node.ports.length, 2);
    });

    it('the probes ask paths that the admin port answers, each its own question', async () => {
      const { startupProbe, readinessProbe, livenessProbe } = trial.node;
      const asked = [startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet?.path);
      assert.deepEqual(asked, ['/health/started', '/health/ready', '/health/live']);
      const admin = await openAdmin({ host: '127.0.0.1', port: 0, log: silentLog, metrics: new Metrics(), health: new Health() });
      try {
        for (const path of asked) assert.equal((await fetch(`${admin.address}${path}`)).status, 200);
      } finally {
        await admin.close();
      }
    });

    it('the grace period is preStop, drain.graceMs, drain.waitMs and 10 s', () => {
      const { terminationGracePeriodSeconds } = trial.nodes.spec.template.spec;
      const [command, preStopSeconds] = trial.node.lifecycle?.preStop.exec.command ?? [];
      assert.equal(command, 'sleep');
      const { graceMs, waitMs } = config().drain;
      assert.equal(terminationGracePeriodSeconds, Number(preStopSeconds) + graceMs / 1000 + waitMs / 1000 + 10);
    });

    it('a full node can send all its clients away in time', () => {
      const { drain, mqtt } = config();
      assert.ok(mqtt.maxConnections / drain.perSecond <= drain.waitMs / 1000);
    });
  });

  it('the field check finds what is unknown, missing or of another shape', () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'swarmq' },
      spec: { type: 'ClusterIP', selectors: {}, ports: [{ name: 'mqtt', port: 70_000, targetPort: 'mqtt' }] },
    };
    assert.deepEqual(manifestFaults(service), [
      'Service swarmq.spec.selector: is missing',
      'Service swarmq.spec.selectors: is no known field',
      'Service swarmq.spec.ports[0].port: 70000 is not a port number',
    ]);
    assert.deepEqual(manifestFaults({ ...service, apiVersion: 'v2' }), ['Service swarmq: no kind known here in v2']);
  });

  it('the Redis of the trial keeps an append-only file and evicts nothing', () => {
    const redis = new Rendered(join(k8s, 'overlays/trial')).workloads.find(({ kind }) => kind === 'StatefulSet');
    const args = redis?.spec.template.spec.containers[0]?.args.join(' ') ?? '';
    for (const option of ['--appendonly yes', '--appendfsync everysec', '--maxmemory-policy noeviction']) assert.ok(args.includes(option), option);
  });
});

/** The manifests in one order, with generated names without their hash. */
function comparable(manifests: readonly Manifest[]): Manifest[] {
  const order = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
  const plain = JSON.parse(JSON.stringify(manifests).replaceAll(/"swarmq-[a-z0-9]{10}"/g, '"swarmq"')) as Manifest[];
  return plain.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}
