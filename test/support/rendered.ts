import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { resolveConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { renderKustomization, type Manifest } from './kustomize.ts';

type Labels = Readonly<Record<string, string>>;
interface LabelSelector {
  readonly matchLabels: Labels;
}
interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly tcpSocket?: { readonly port: string };
}
interface EnvironmentEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string }; readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly EnvironmentEntry[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly securityContext: { readonly allowPrivilegeEscalation: boolean; readonly readOnlyRootFilesystem: boolean; readonly capabilities: { readonly drop: readonly string[] } };
}
interface Workload extends Manifest {
  readonly spec: {
    readonly replicas: number;
    readonly selector: LabelSelector;
    readonly serviceName?: string;
    readonly strategy?: { readonly rollingUpdate: { readonly maxSurge: number; readonly maxUnavailable: number } };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: { readonly runAsNonRoot: boolean; readonly runAsUser: number };
        readonly containers: readonly Container[];
        readonly topologySpreadConstraints?: readonly { readonly labelSelector: LabelSelector }[];
        readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
      };
    };
  };
}
interface Service extends Manifest {
  readonly spec: { readonly type: string; readonly clusterIP?: string; readonly externalTrafficPolicy?: string; readonly selector: Labels; readonly ports: readonly { readonly targetPort: string }[] };
}
interface DisruptionBudget extends Manifest {
  readonly spec: { readonly maxUnavailable: number; readonly selector: LabelSelector };
}
interface ConfigMap extends Manifest {
  readonly data: Readonly<Record<string, string>>;
}
interface Secret extends Manifest {
  readonly stringData: Readonly<Record<string, string>>;
}

/** The manifests of a kustomization by kind. The casts are good because the field check looks at each of them first. */
export class Rendered {
  readonly all: readonly Manifest[];

  constructor(folder: string) {
    this.all = renderKustomization(folder);
  }

  #of(...kinds: string[]): Manifest[] {
    return this.all.filter(({ kind }) => kinds.includes(kind));
  }

  get workloads(): Workload[] {
    return this.#of('Deployment', 'StatefulSet') as Workload[];
  }
  get services(): Service[] {
    return this.#of('Service') as Service[];
  }
  get budgets(): DisruptionBudget[] {
    return this.#of('PodDisruptionBudget') as DisruptionBudget[];
  }
  get configMaps(): ConfigMap[] {
    return this.#of('ConfigMap') as ConfigMap[];
  }
  get secrets(): Secret[] {
    return this.#of('Secret') as Secret[];
  }
  get nodes(): Workload {
    return only(this.#of('Deployment') as Workload[], 'Deployment');
  }
  get node(): Container {
    return only(this.nodes.spec.template.spec.containers, 'container of a node');
  }
  get configText(): string {
    return only(this.configMaps, 'ConfigMap').data['swarmq.yaml'] ?? assert.fail('the ConfigMap has no swarmq.yaml');
  }

  /** What a pod of this name gets as its environment. */
  environment(pod: string, outside: Readonly<Record<string, string>> = {}): Record<string, string> {
    const value = ({ name, value, valueFrom }: EnvironmentEntry): string => {
      if (valueFrom?.fieldRef?.fieldPath === 'metadata.name') return pod;
      const reference = valueFrom?.secretKeyRef;
      if (reference === undefined) return value ?? assert.fail(`${name} has no value`);
      const secret = this.secrets.find(({ metadata }) => metadata.name === reference.name);
      return secret?.stringData[reference.key] ?? outside[`${reference.name}/${reference.key}`] ?? assert.fail(`${name}: no such secret`);
    };
    return Object.fromEntries((this.node.env ?? []).map((entry) => [entry.name, value(entry)]));
  }

  config(pod: string): Config {
    const document = { name: 'swarmq.yaml', values: parse(this.configText) as unknown };
    return resolveConfig({ document, environment: this.environment(pod) }).config;
  }
}

export function only<T>(items: readonly T[], what: string): T {
  assert.equal(items.length, 1, `exactly one ${what}`);
  return items[0] as T;
}

export function matches({ matchLabels }: LabelSelector, labels: Labels): boolean {
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
}
