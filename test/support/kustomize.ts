import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

/**
 * Renders a kustomization as far as the project's own use it: resources, generated ConfigMaps, strategic merge patches,
 * the namespace. Whatever else a kustomization says is an error here, so that nothing is passed over in silence.
 * Generated names have no hash.
 */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
}

interface Kustomization {
  readonly apiVersion: 'kustomize.config.k8s.io/v1beta1';
  readonly kind: 'Kustomization';
  readonly namespace?: string;
  readonly resources: readonly string[];
  readonly configMapGenerator?: readonly { readonly name: string; readonly files: readonly string[] }[];
  readonly patches?: readonly { readonly path: string }[];
}

const known = ['apiVersion', 'kind', 'namespace', 'resources', 'configMapGenerator', 'patches'];

export function renderKustomization(folder: string): Manifest[] {
  const kustomization = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as Kustomization;
  const unknown = Object.keys(kustomization).filter((field) => !known.includes(field));
  if (unknown.length > 0) throw new Error(`${folder}: not known to this renderer: ${unknown.join(', ')}`);
  const { namespace, resources, configMapGenerator = [], patches = [] } = kustomization;

  let manifests = [
    ...resources.flatMap((path) => {
      const full = join(folder, path);
      return statSync(full).isDirectory() ? renderKustomization(full) : readManifests(full);
    }),
    ...configMapGenerator.map(({ name, files }) => generateConfigMap(folder, name, files)),
  ];
  for (const patch of patches.flatMap(({ path }) => readManifests(join(folder, path)))) manifests = applyPatch(manifests, patch);
  if (namespace === undefined) return manifests;
  return manifests.map((one) => (one.kind === 'Namespace' ? one : { ...one, metadata: { ...one.metadata, namespace } }));
}

export function readManifests(file: string): Manifest[] {
  return [...parseAllDocuments(readFileSync(file, 'utf8'))].map((document) => {
    if (document.errors[0] !== undefined) throw new Error(`${file}: ${document.errors[0].message}`);
    return document.toJS() as Manifest;
  });
}

function generateConfigMap(folder: string, name: string, files: readonly string[]): Manifest & { data: Record<string, string> } {
  const data = Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

function applyPatch(manifests: Manifest[], patch: Manifest): Manifest[] {
  const fits = (one: Manifest): boolean => one.kind === patch.kind && one.metadata.name === patch.metadata.name;
  if (manifests.filter(fits).length !== 1) throw new Error(`the patch of ${patch.kind} ${patch.metadata.name} has no target`);
  return manifests.map((one) => (fits(one) ? (merge(one, patch, '') as Manifest) : one));
}

/** The lists whose entries a strategic merge tells apart by name. */
const namedLists = ['containers', 'env', 'volumes'];

function merge(old: unknown, patch: unknown, field: string): unknown {
  if (Array.isArray(patch)) {
    if (!Array.isArray(old)) return patch;
    if (!namedLists.includes(field)) throw new Error(`a patch of the list ${field} is not known to this renderer`);
    const added: unknown[] = patch.filter((entry) => !old.some((other) => nameOf(other) === nameOf(entry)));
    const changed = old.map((entry: unknown) => {
      const change: unknown = patch.find((other) => nameOf(other) === nameOf(entry));
      return change === undefined ? entry : merge(entry, change, '');
    });
    return [...added, ...changed];
  }
  if (!isObject(patch) || !isObject(old)) return patch;
  const result = { ...old };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = name in old ? merge(old[name], value, name) : value;
  }
  return result;
}

function nameOf(entry: unknown): unknown {
  return isObject(entry) ? entry['name'] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
