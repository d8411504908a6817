import type { Manifest } from './kustomize.ts';

/**
 * The fields of the Kubernetes kinds that the project uses, as far as it uses them: a field that is not in this table,
 * a missing one or a value of another shape is a fault. It follows the API reference of Kubernetes 1.30.
 */
export function manifestFaults(manifest: Manifest): string[] {
  const place = `${manifest.kind} ${manifest.metadata.name}`;
  const kind = kinds[`${manifest.apiVersion} ${manifest.kind}`];
  return kind === undefined ? [`${place}: no kind known here in ${manifest.apiVersion}`] : kind(manifest, place);
}

/** Gives the faults of a value. */
type Shape = (value: unknown, place: string) => string[];

function matching(what: string, test: (value: unknown) => boolean): Shape {
  return (value, place) => (test(value) ? [] : [`${place}: ${JSON.stringify(value)} is not ${what}`]);
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';

const text = matching('text', isText);
const truth = matching('true or false', (value) => typeof value === 'boolean');
const whole = matching('a whole number', isWhole);
const name = matching('a DNS label', (value) => isText(value) && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value));
const portNumber = matching('a port number', (value) => isWhole(value) && value >= 1 && value <= 65_535);
const portName = matching('a port name', (value) => isText(value) && /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(value));
const portReference: Shape = (value, place) => (isText(value) ? portName(value, place) : portNumber(value, place));
const quantity = matching('a quantity', (value) => isWhole(value) || (isText(value) && /^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.test(value)));
const countOrShare = matching('a number or a percentage', (value) => isWhole(value) || (isText(value) && /^\d+%$/.test(value)));

function oneOf(...words: string[]): Shape {
  return matching(`one of ${words.join(', ')}`, (value) => isText(value) && words.includes(value));
}

function list(of: Shape): Shape {
  return (value, place) => (Array.isArray(value) ? value.flatMap((entry, i) => of(entry, `${place}[${i}]`)) : [`${place}: is no list`]);
}

function map(of: Shape): Shape {
  return (value, place) =>
    isObject(value) ? Object.entries(value).flatMap(([key, entry]) => of(entry, `${place}.${key}`)) : [`${place}: is no object`];
}

function fields(needed: Record<string, Shape>, optional: Record<string, Shape> = {}): Shape {
  const all = { ...needed, ...optional };
  return (value, place) => {
    if (!isObject(value)) return [`${place}: is no object`];
    const missing = Object.keys(needed).filter((field) => !(field in value));
    return [
      ...missing.map((field) => `${place}.${field}: is missing`),
      ...Object.entries(value).flatMap(([field, entry]) => all[field]?.(entry, `${place}.${field}`) ?? [`${place}.${field}: is no known field`]),
    ];
  };
}

/** Exactly one of the fields. */
function either(choices: Record<string, Shape>): Shape {
  const shape = fields({}, choices);
  return (value, place) => {
    const faults = shape(value, place);
    return isObject(value) && Object.keys(value).length === 1 ? faults : [...faults, `${place}: needs exactly one of ${Object.keys(choices).join(', ')}`];
  };
}

const metadata = fields({ name }, { namespace: name, labels: map(text), annotations: map(text) });
const labelSelector = fields({ matchLabels: map(text) });

const action = {
  httpGet: fields({ path: text, port: portReference }, { scheme: oneOf('HTTP', 'HTTPS') }),
  exec: fields({ command: list(text) }),
  tcpSocket: fields({ port: portReference }),
};

const probe = fields(
  {},
  { ...action, periodSeconds: whole, timeoutSeconds: whole, failureThreshold: whole, successThreshold: whole, initialDelaySeconds: whole },
);

const container = fields(
  {
    name,
    image: text,
    ports: list(fields({ name: portName, containerPort: portNumber }, { protocol: oneOf('TCP', 'UDP') })),
    resources: fields({ requests: map(quantity), limits: map(quantity) }),
    securityContext: fields({
      allowPrivilegeEscalation: truth,
      readOnlyRootFilesystem: truth,
      capabilities: fields({ drop: list(text) }),
    }),
  },
  {
    imagePullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
    command: list(text),
    args: list(text),
    env: list(
      fields(
        { name: text },
        {
          value: text,
          valueFrom: either({ fieldRef: fields({ fieldPath: text }), secretKeyRef: fields({ name, key: text }), configMapKeyRef: fields({ name, key: text }) }),
        },
      ),
    ),
    volumeMounts: list(fields({ name, mountPath: text }, { readOnly: truth, subPath: text })),
    startupProbe: probe,
    readinessProbe: probe,
    livenessProbe: probe,
    lifecycle: fields({ preStop: either(action) }),
  },
);

const pod = fields({
  metadata: fields({ labels: map(text) }, { annotations: map(text) }),
  spec: fields(
    {
      terminationGracePeriodSeconds: whole,
      automountServiceAccountToken: truth,
      securityContext: fields(
        { runAsNonRoot: truth, runAsUser: whole, runAsGroup: whole, seccompProfile: fields({ type: oneOf('RuntimeDefault') }) },
        { fsGroup: whole },
      ),
      containers: list(container),
    },
    {
      enableServiceLinks: truth,
      topologySpreadConstraints: list(
        fields(
          { maxSkew: whole, topologyKey: text, whenUnsatisfiable: oneOf('DoNotSchedule', 'ScheduleAnyway'), labelSelector },
          { matchLabelKeys: list(text) },
        ),
      ),
      volumes: list(fields({ name }, { configMap: fields({ name }), secret: fields({ secretName: name }), emptyDir: fields({}) })),
    },
  ),
});

const claim = fields({
  metadata: fields({ name }),
  spec: fields({ accessModes: list(oneOf('ReadWriteOnce')), resources: fields({ requests: fields({ storage: quantity }) }) }),
});

function kind(rest: Record<string, Shape>, optional: Record<string, Shape> = {}): Shape {
  return fields({ apiVersion: text, kind: text, metadata, ...rest }, optional);
}

const kinds: Readonly<Record<string, Shape>> = {
  'v1 Namespace': kind({}),
  'v1 ConfigMap': kind({ data: map(text) }),
  'v1 Secret': kind({ type: oneOf('Opaque'), stringData: map(text) }),
  'v1 Service': kind({
    spec: fields(
      {
        type: oneOf('ClusterIP', 'LoadBalancer'),
        selector: map(text),
        ports: list(fields({ name: portName, port: portNumber, targetPort: portReference }, { protocol: oneOf('TCP', 'UDP') })),
      },
      { clusterIP: oneOf('None'), externalTrafficPolicy: oneOf('Local', 'Cluster'), publishNotReadyAddresses: truth },
    ),
  }),
  'policy/v1 PodDisruptionBudget': kind({ spec: fields({ maxUnavailable: countOrShare, selector: labelSelector }) }),
  'apps/v1 Deployment': kind({
    spec: fields(
      {
        replicas: whole,
        selector: labelSelector,
        strategy: fields({ type: oneOf('RollingUpdate'), rollingUpdate: fields({ maxSurge: countOrShare, maxUnavailable: countOrShare }) }),
        template: pod,
      },
      { minReadySeconds: whole, progressDeadlineSeconds: whole },
    ),
  }),
  'apps/v1 StatefulSet': kind({
    spec: fields({ serviceName: name, replicas: whole, selector: labelSelector, template: pod }, { volumeClaimTemplates: list(claim) }),
  }),
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
