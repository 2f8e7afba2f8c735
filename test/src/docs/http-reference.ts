import * as contracts from '@peerlab/contracts';
import { ROUTES, type Route, type RouteName } from '@peerlab/contracts';
import { z } from 'zod';

/** Errors of a route beside those that follow from its access, path, query and body: `status code`. */
export const OWN_ERRORS: Partial<Record<RouteName, readonly string[]>> = {
  ready: ['503 not-ready'],
  submitRun: ['409 run-exists', '422 invalid-run', '422 artifact-removed', '422 bundle-removed', '507 storage-full'],
  checkMachine: ['409 no-health-check', '422 bundle-removed', '507 storage-full'],
  retryRun: [
    '409 health-run',
    '409 run-exists',
    '422 invalid-run',
    '422 artifact-removed',
    '422 bundle-removed',
    '507 storage-full',
  ],
  retryJob: [
    '409 health-run',
    '409 job-open',
    '422 invalid-run',
    '422 artifact-removed',
    '422 bundle-removed',
    '507 storage-full',
  ],
  getGrid: ['404 not-found'],
  getCompare: ['404 not-found'],
  getRawLog: ['410 log-removed'],
  getFailure: ['422 incomplete-subject'],
  markKnownFailure: ['422 incomplete-subject', '422 invalid-until'],
  acceptBaseline: ['422 patched-baseline', '422 invalid-until'],
  moveMachine: ['409 machine-leased'],
  forgetMachine: ['409 machine-leased', '409 machine-in-use'],
  moveAgent: ['409 machine-leased'],
  reserveMachine: ['409 machine-reserved', '409 agent-too-old'],
  returnMachine: ['422 reason-needed'],
  getPatch: ['404 no-patch-text'],
  getSeries: ['404 no-patch-text'],
  getAttemptFile: ['410 file-removed', '500 artifact-store-unreadable'],
  getBuildCoverage: [
    '404 no-coverage',
    '410 bundle-removed',
    '500 artifact-store-unreadable',
    '500 bundle-damaged',
    '500 file-too-large',
  ],
  getBuildMutants: [
    '404 no-mutants',
    '410 bundle-removed',
    '500 artifact-store-unreadable',
    '500 bad-mutants',
    '500 bundle-damaged',
    '500 file-too-large',
  ],
  getBuildFile: ['403 not-your-work', '410 bundle-removed', '500 artifact-store-unreadable', '500 bundle-damaged'],
  putArtifact: [
    '403 no-open-build',
    '408 upload-stalled',
    '409 artifact-removed',
    '413 too-large',
    '415 unsupported-media-type',
    '422 digest-mismatch',
    '429 too-many-uploads',
    '429 upload-limit',
    '507 disk-full',
  ],
  getArtifact: ['403 not-your-work', '500 artifact-store-unreadable'],
  registerBundle: ['409 bundle-exists', '422 bad-bundle', '422 no-artifact'],
  deliverHook: [
    '400 no-delivery-id',
    '401 bad-signature',
    '401 stale-delivery',
    '403 other-repository',
    '403 template-not-allowed',
    '413 too-large',
    '422 artifact-removed',
    '422 bundle-removed',
    '422 invalid-input',
    '422 invalid-run',
    '422 unknown-template',
    '422 no-git-build',
    '422 no-series-build',
    '429 too-many-deliveries',
    '503 hooks-not-configured',
    '507 storage-full',
  ],
  approveDelivery: [
    '409 delivery-changed',
    '409 hook-changed',
    '409 not-held',
    '409 not-kept',
    '422 artifact-removed',
    '422 bundle-removed',
    '422 invalid-run',
    '422 no-git-build',
    '422 unknown-template',
    '507 storage-full',
  ],
  repeatDelivery: [
    '409 delivery-changed',
    '409 held',
    '409 hook-changed',
    '409 not-kept',
    '422 artifact-removed',
    '422 bundle-removed',
    '422 invalid-run',
    '422 no-git-build',
    '422 unknown-template',
    '507 storage-full',
  ],
  revokeToken: ['409 own-token'],
  runRetention: ['409 retention-running'],
};

/** A value that a query or a body can have. */
type Scalar = string | number | boolean;

interface JsonSchema {
  type?: string;
  format?: string;
  pattern?: string;
  const?: Scalar;
  enum?: Scalar[];
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  default?: Scalar;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

const describe = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema =>
  z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonSchema;

/** The name under which the contracts export a schema. */
function nameOf(schema: z.ZodType): string | null {
  return Object.entries(contracts).find(([, value]) => value === schema)?.[0] ?? null;
}

/** Minimum and maximum in words; numbers past a safe integer are no limit. */
function range(least: number | undefined, most: number | undefined): string {
  const upper = most === undefined || most >= Number.MAX_SAFE_INTEGER ? null : most;
  if (least !== undefined && upper !== null) return ` ${least}–${upper}`;
  if (upper !== null) return ` ≤ ${upper}`;
  return least === undefined ? '' : ` ≥ ${least}`;
}

function typeText(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(' or ');
  if (schema.const !== undefined) return code(String(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(', ');
  if (schema.format === 'uuid') return 'UUID';
  if (schema.pattern === '^[0-9a-f]{64}$') return '64 hex digits';
  if (schema.type === 'array') return `list${range(undefined, schema.maxItems)} of ${typeText(schema.items ?? {})}`;
  if (schema.type === 'string') {
    const length = range(schema.minLength, schema.maxLength);
    return `string${length === '' ? '' : `,${length} characters`}${schema.pattern === undefined ? '' : `, ${code(schema.pattern)}`}`;
  }
  if (schema.type === 'integer' || schema.type === 'number')
    return `${schema.type}${range(schema.minimum, schema.maximum)}`;
  return schema.type ?? 'any';
}

/** A schema without what makes it optional or gives it a default. */
function inner(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault
    ? inner(schema.unwrap() as z.ZodType)
    : schema;
}

/** Fields of a path, query or body, each with its type, its limits and its default. */
function fieldsOf(schema: z.ZodType): string[] {
  const written = describe(schema, 'input');
  const read = describe(schema, 'output');
  const shape = schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>) : {};
  return Object.entries(written.properties ?? {}).map(([field, property]) => {
    const own = shape[field];
    const name = own === undefined ? null : nameOf(inner(own));
    // A number in a query is a text that is converted: its limits stand in the output.
    const { default: _, ...limits } = read.properties?.[field] ?? {};
    const checked = property.type === 'number' ? limits : property;
    const type = property.type === 'object' || name === 'Name' ? (name ?? 'object') : typeText(checked);
    const preset = property.default === undefined ? '' : `, default ${code(String(property.default))}`;
    const optional = preset === '' && written.required?.includes(field) !== true ? ', optional' : '';
    return `${code(field)} ${type}${optional}${preset}`;
  });
}

/** Name of an answer's schema; an object without a name is written out. */
function answerText(schema: z.ZodType | undefined): string {
  if (schema === undefined) return 'no JSON';
  const name = nameOf(schema);
  if (name !== null) return name;
  if (schema instanceof z.ZodArray) return `list of ${answerText(schema.element as z.ZodType)}`;
  if (schema instanceof z.ZodObject) return `{ ${Object.keys(schema.shape).join(', ')} }`;
  throw new Error('an answer that is neither exported by the contracts nor an object or a list');
}

const ACCESS_ERRORS = {
  public: [],
  read: ['401 unauthorized', '403 forbidden'],
  user: ['401 unauthorized', '403 forbidden'],
  agent: ['401 unauthorized'],
  signature: [],
} as const;

/** Routes that take any name: an unknown hook is answered like a wrong signature, an unknown kernel with no results, an unknown id with nothing. */
const WITHOUT_404 = new Set<RouteName>(['deliverHook', 'putArtifact', 'getKernelResults', 'findIds']);

function errorsOf(name: RouteName, route: Route): string[] {
  const input = [
    ...(route.params === undefined && route.query === undefined ? [] : ['400 invalid-input']),
    ...(route.body === undefined ? [] : ['422 invalid-input']),
  ];
  const missing = route.params === undefined || WITHOUT_404.has(name) ? [] : ['404 not-found'];
  const busy = route.isHeavy === true ? ['429 too-many-requests'] : [];
  const all = [...ACCESS_ERRORS[route.access], ...input, ...missing, ...busy, ...(OWN_ERRORS[name] ?? [])];
  return [...new Set(all)].toSorted();
}

function rowOf(name: RouteName, route: Route): string {
  const parts = (['params', 'query', 'body'] as const).flatMap((part) => {
    const schema = route[part];
    if (schema === undefined) return [];
    const fields = fieldsOf(schema).join('<br>');
    return [`**${part === 'params' ? 'path' : part}**<br>${fields}`];
  });
  const access = route.isHeavy === true ? `${route.access}, heavy` : route.access;
  const cells = [
    code(name),
    code(`${route.method} ${route.path}`),
    access,
    parts.join('<br>'),
    answerText(route.response),
    errorsOf(name, route).join('<br>'),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The table of all routes of the contract, in Markdown. */
export function routeTable(): string {
  const routes = Object.entries(ROUTES) as [RouteName, Route][];
  return [
    '| name | method and path | access | takes | answer | errors |',
    '|---|---|---|---|---|---|',
    ...routes.map(([name, route]) => rowOf(name, route)),
  ].join('\n');
}
