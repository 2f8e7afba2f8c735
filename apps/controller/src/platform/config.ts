import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { HealthPolicy, PUBLIC_SOURCE_HOSTS, RetentionPolicy, SourceHosts } from '@peerlab/contracts';
import { defaultStateFolder } from '@peerlab/runtime';
import { z } from 'zod';
import { type HookSetting, readHooksFile } from './hooks-file.js';
import { isLoopbackHost, readHost } from './http/host-name.js';
import { SettingError } from './setting-error.js';

export { SettingError };

/** Machines an agent may have by default; a lab with more in one place raises it. */
const AGENT_MACHINES = 256;
/** Bytes a caller may store within a day by default: some thousand bundles, and far below a disk. */
const UPLOAD_DAY_BYTES = 64 * 1024 ** 3;

function fromYaml(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return parse(value) as unknown;
  } catch {
    return value;
  }
}

/** In the environment a list is written with commas or blanks. */
const fromList = (value: unknown): unknown =>
  typeof value === 'string' ? value.split(/[\s,]/).filter((part) => part !== '') : value;

const YES = new Set<unknown>(['yes', 'true', '1', true]);
const NO = new Set<unknown>(['no', 'false', '0', false]);
const fromYesNo = (value: unknown): unknown => (YES.has(value) ? true : NO.has(value) ? false : value);

const HostEntry = z.string().refine((text) => readHost(text) !== null, 'expected NAME or NAME:PORT, without http://');

/** Everything the controller can be told, with the environment variable that overrides the file. */
export const SETTINGS = {
  host: { env: 'PEERLAB_HOST', schema: z.string().min(1) },
  port: { env: 'PEERLAB_PORT', schema: z.coerce.number().int().min(0).max(65_535) },
  hosts: { env: 'PEERLAB_HOSTS', schema: z.preprocess(fromList, z.array(HostEntry).max(100)) },
  publicReads: { env: 'PEERLAB_PUBLIC_READS', schema: z.preprocess(fromYesNo, z.boolean('expected yes or no')) },
  watchdogSeconds: { env: 'PEERLAB_WATCHDOG_SECONDS', schema: z.coerce.number().int().min(0).max(3600) },
  databaseUrl: { env: 'DATABASE_URL', schema: z.string().regex(/^postgres(ql)?:\/\//, 'expected postgres://…') },
  stateDir: { env: 'PEERLAB_STATE', schema: z.string().min(1) },
  templatesDir: { env: 'PEERLAB_TEMPLATES', schema: z.string().min(1) },
  webDir: { env: 'PEERLAB_WEB', schema: z.string().min(1) },
  hooksFile: { env: 'PEERLAB_HOOKS_FILE', schema: z.string().min(1) },
  artifactMaxBytes: { env: 'PEERLAB_ARTIFACT_MAX_BYTES', schema: z.coerce.number().int().positive() },
  uploadDayBytes: { env: 'PEERLAB_UPLOAD_DAY_BYTES', schema: z.coerce.number().int().positive() },
  agentMachines: { env: 'PEERLAB_AGENT_MACHINES', schema: z.coerce.number().int().min(1).max(2000) },
  /** In the environment as YAML or JSON, such as `{softBytes: 1000000000}`. */
  retention: { env: 'PEERLAB_RETENTION', schema: z.preprocess(fromYaml, RetentionPolicy) },
  /** As retention, such as `{enabled: true, boots: 3}`. */
  health: { env: 'PEERLAB_HEALTH', schema: z.preprocess(fromYaml, HealthPolicy) },
  /** As retention, such as `{git.example.org: gitlab}`. */
  sourceHosts: { env: 'PEERLAB_SOURCE_HOSTS', schema: z.preprocess(fromYaml, SourceHosts) },
} as const;

export interface Settings {
  host: string;
  /** Further names, with or without a port, that browsers, agents and proxies use for this controller. */
  hosts: string[];
  /** Whether callers without a token may read. */
  publicReads: boolean;
  /** A controller whose event loop is blocked this long ends itself; 0 = never. */
  watchdogSeconds: number;
  /** 0 = any free port. */
  port: number;
  /** null = the embedded Postgres below the state folder. */
  databaseUrl: string | null;
  stateDir: string;
  templatesDir: string;
  webDir: string;
  /** Webhooks that may start runs; null = there is no hooks file, and deliveries are refused. */
  hooks: readonly HookSetting[] | null;
  artifactMaxBytes: number;
  /** What one caller may store within a day, in bytes. */
  uploadDayBytes: number;
  /** Machine names that one agent may have, those out of reach included. */
  agentMachines: number;
  /** What is kept, and in how much space. All controllers of a farm need the same. */
  retention: RetentionPolicy;
  /** When machines are checked. All controllers of a farm need the same. */
  health: HealthPolicy;
  /** Hosts whose pages of sources are linked to. */
  sourceHosts: SourceHosts;
}
/** Injection token of Settings. */
export const SETTINGS_TOKEN = Symbol('settings');

const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), '../../../..');

const SettingsFile = z.strictObject({
  host: SETTINGS.host.schema.optional(),
  hosts: SETTINGS.hosts.schema.optional(),
  publicReads: SETTINGS.publicReads.schema.optional(),
  watchdogSeconds: SETTINGS.watchdogSeconds.schema.optional(),
  port: SETTINGS.port.schema.optional(),
  databaseUrl: SETTINGS.databaseUrl.schema.optional(),
  stateDir: SETTINGS.stateDir.schema.optional(),
  templatesDir: SETTINGS.templatesDir.schema.optional(),
  webDir: SETTINGS.webDir.schema.optional(),
  hooksFile: SETTINGS.hooksFile.schema.optional(),
  artifactMaxBytes: SETTINGS.artifactMaxBytes.schema.optional(),
  uploadDayBytes: SETTINGS.uploadDayBytes.schema.optional(),
  agentMachines: SETTINGS.agentMachines.schema.optional(),
  retention: SETTINGS.retention.schema.optional(),
  health: SETTINGS.health.schema.optional(),
  sourceHosts: SETTINGS.sourceHosts.schema.optional(),
});

/**
 * Reads settings: environment over configuration file over defaults. Relative folders are taken from
 * the current folder. Throws SettingError naming the setting.
 */
export function loadSettings(env: NodeJS.ProcessEnv, configFile: string | null): Settings {
  if ((env['PEERLAB_HOOK_SECRET'] ?? '') !== '') throw new SettingError(OLD_HOOK_SECRET);
  const fromFile = configFile === null ? {} : readConfigFile(configFile);
  const fromEnv: Record<string, string> = {};
  for (const [key, { env: name }] of Object.entries(SETTINGS)) {
    const value = env[name];
    if (value !== undefined && value !== '') fromEnv[key] = value;
  }
  const parsed = SettingsFile.safeParse({ ...fromFile, ...fromEnv });
  if (!parsed.success) throw new SettingError(describeIssues(parsed.error, fromEnv, configFile));
  const given = parsed.data;
  const host = given.host ?? '127.0.0.1';
  const hosts = given.hosts ?? [];
  return {
    host,
    hosts,
    publicReads: given.publicReads ?? isForThisMachineOnly(host, hosts),
    watchdogSeconds: given.watchdogSeconds ?? WATCHDOG_SECONDS,
    port: given.port ?? 7470,
    databaseUrl: given.databaseUrl ?? null,
    stateDir: resolve(given.stateDir ?? defaultStateFolder(env)),
    templatesDir: resolve(given.templatesDir ?? join(REPOSITORY, 'infra/runs')),
    webDir: resolve(given.webDir ?? join(REPOSITORY, 'apps/web/dist')),
    hooks: given.hooksFile === undefined ? null : readHooksFile(resolve(given.hooksFile)),
    artifactMaxBytes: given.artifactMaxBytes ?? 2 * 1024 ** 3,
    uploadDayBytes: given.uploadDayBytes ?? UPLOAD_DAY_BYTES,
    agentMachines: given.agentMachines ?? AGENT_MACHINES,
    retention: given.retention ?? RetentionPolicy.parse({}),
    health: given.health ?? HealthPolicy.parse({}),
    sourceHosts: given.sourceHosts ?? PUBLIC_SOURCE_HOSTS,
  };
}

const OLD_HOOK_SECRET =
  'PEERLAB_HOOK_SECRET: one secret for all webhooks is no longer taken; name a hooks file in PEERLAB_HOOKS_FILE ' +
  '(hooks: a list of name, kind, secretFile, templates) and unset this variable';
/** Below an agent's lease, so that its jobs survive the restart; far above the longest pause of a sound controller. */
const WATCHDOG_SECONDS = 20;

/** Whether only people at this machine can ask: it listens on loopback, and no proxy makes it known under another name. */
function isForThisMachineOnly(host: string, hosts: readonly string[]): boolean {
  return [host, ...hosts].every((entry) => isLoopbackHost(readHost(entry)?.name ?? entry));
}

function readConfigFile(file: string): object {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingError(`--config ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    const value: unknown = parse(text);
    if (value === null) return {};
    if (typeof value === 'object' && !Array.isArray(value)) return value;
  } catch (error) {
    throw new SettingError(`--config ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new SettingError(`--config ${file}: expected fields such as "port: 7470"`);
}

function describeIssues(error: z.ZodError, fromEnv: Record<string, string>, configFile: string | null): string {
  return error.issues
    .map((issue) => {
      if (issue.code === 'unrecognized_keys') {
        return `${configFile}: unknown setting ${issue.keys.join(', ')}; known are ${Object.keys(SETTINGS).join(', ')}`;
      }
      const key = String(issue.path[0]) as keyof typeof SETTINGS;
      const place = key in fromEnv ? SETTINGS[key].env : `${configFile}: ${key}`;
      return `${place}: ${[...issue.path.slice(1).map(String), issue.message].join(': ')}`;
    })
    .join('\n');
}
