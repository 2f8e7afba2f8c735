import { createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Name } from '@peerlab/contracts';
import { parse } from 'yaml';
import { z } from 'zod';
import { isLoopbackHost } from './http/host-name.js';
import { SettingError } from './setting-error.js';

/** Shorter secrets can be guessed offline from one signed delivery. */
const SECRET_MIN_CHARACTERS = 16;
/** Hooks of one farm: each delivery searches the list, and each hook has a limit of its own in memory. */
const HOOKS_MAX = 200;
const RULES_MAX = 100;
const PATTERNS_MAX = 64;
const PEOPLE_MAX = 500;

const REPOSITORY = /^[\w.-]{1,100}(?:\/[\w.-]{1,100}){1,8}$/;
/** `owner/name`, at GitLab also with groups in between. Its parts become parts of addresses. */
const Repository = z
  .string()
  .max(300)
  .regex(REPOSITORY, 'expected owner/name')
  .refine((name) => name.split('/').every((part) => part !== '.' && part !== '..'), 'a part may not be . or ..');

const Pattern = z.string().min(1).max(200);
const Patterns = z.array(Pattern).min(1).max(PATTERNS_MAX);
const Login = z.string().regex(/^[\w.-]{1,100}$/, 'expected the name of an account');

/** An address that the controller calls: nothing that arrives from outside can name another one. */
const ApiAddress = z.string().max(300).refine(isApiAddress, 'expected https://HOST/PATH (http only on loopback)');

const Report = z
  .strictObject({
    api: ApiAddress,
    tokenFile: z.string().min(1).optional(),
    /** A GitHub App: only those may write check runs. */
    app: z
      .strictObject({
        id: z.number().int().positive(),
        installation: z.number().int().positive(),
        privateKeyFile: z.string().min(1),
      })
      .optional(),
    /** Certificates of an authority of one's own, in PEM form. */
    caFile: z.string().min(1).optional(),
  })
  .refine(({ tokenFile, app }) => (tokenFile === undefined) !== (app === undefined), 'give either tokenFile or app');

const Rule = z.strictObject({
  repository: Repository,
  branches: Patterns.optional(),
  paths: Patterns.optional(),
  labels: z.array(z.string().min(1).max(200)).min(1).max(PATTERNS_MAX).optional(),
  template: Name,
  /** Which of the template's builds takes the commit; none = the only one with a git source. */
  build: Name.optional(),
});
/** Which changes of which repository run which template. */
export type HookRule = z.infer<typeof Rule>;

const Common = { name: Name, secretFile: z.string().min(1) };
const Forge = {
  ...Common,
  rules: z.array(Rule).min(1).max(RULES_MAX),
  people: z.array(Login).max(PEOPLE_MAX).default([]),
  report: Report.optional(),
};
const HooksFile = z
  .strictObject({
    /** Address of the web UI, for the links of reports. */
    url: z.url({ protocol: /^https?$/ }).optional(),
    hooks: z
      .array(
        z.discriminatedUnion('kind', [
          z.strictObject({ ...Common, kind: z.literal('generic'), templates: z.array(Name).min(1) }),
          z.strictObject({ ...Forge, kind: z.literal('github') }),
          z.strictObject({ ...Forge, kind: z.literal('gitlab') }),
          z.strictObject({ ...Forge, kind: z.literal('gitea') }),
        ]),
      )
      .max(HOOKS_MAX),
  })
  .superRefine(({ url, hooks }, context) => {
    hooks.forEach((hook, index) => {
      if (hook.kind === 'generic' || hook.report === undefined) return;
      const wrong = (path: string[], message: string): void =>
        context.addIssue({ code: 'custom', path: ['hooks', index, 'report', ...path], message });
      if (url === undefined)
        wrong([], 'reports need links: set url, the address of the web UI, at the top of the file');
      if (hook.report.app !== undefined && hook.kind !== 'github')
        wrong(['app'], 'only GitHub has apps; use tokenFile');
    });
  });

interface CommonHook {
  name: string;
  /** An object whose content appears in no log line and no JSON. */
  secret: KeyObject;
}
export interface GenericHookSetting extends CommonHook {
  kind: 'generic';
  /** Names of the templates that it may run. */
  templates: readonly string[];
}
/** Where reports of a hook go. The files are read for each report, so that a token can be renewed. */
export interface ReportSetting {
  api: URL;
  tokenFile: string | null;
  app: { id: number; installation: number; privateKeyFile: string } | null;
  /** PEM text; null = the authorities that Node.js knows. */
  ca: string | null;
  /** Address of the web UI, without a slash at its end. */
  web: string;
}
export interface ForgeHookSetting extends CommonHook {
  kind: 'github' | 'gitlab' | 'gitea';
  /** The first that matches decides. */
  rules: readonly HookRule[];
  /** Whose commands in comments count, and whose own forks run at once; in lower case. */
  people: readonly string[];
  report: ReportSetting | null;
}
/** A webhook that may start runs. */
export type HookSetting = GenericHookSetting | ForgeHookSetting;

/**
 * Reads the hooks file (YAML or JSON) and the secrets that it names, relative to its own folder. Throws
 * SettingError with the file and what to change; no message contains a secret.
 */
export function readHooksFile(file: string): HookSetting[] {
  const parsed = HooksFile.safeParse(readYaml(file));
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => `${file}: ${path.map(String).join('.')}: ${message}`);
    throw new SettingError(lines.join('\n'));
  }
  const { url, hooks: entries } = parsed.data;
  const pathOf = (name: string): string => resolve(dirname(file), name);
  const hooks = entries.map((entry): HookSetting => {
    const { name } = entry;
    const secret = createSecretKey(readSecret(file, name, pathOf(entry.secretFile)), 'utf8');
    if (entry.kind === 'generic') return { name, kind: entry.kind, secret, templates: entry.templates };
    const { kind, rules, people, report } = entry;
    return {
      name,
      kind,
      secret,
      rules,
      people: people.map((login) => login.toLowerCase()),
      report: report === undefined ? null : readReport(file, name, report, url ?? '', pathOf),
    };
  });
  for (const [index, hook] of hooks.entries()) {
    for (const earlier of hooks.slice(0, index)) {
      if (earlier.name === hook.name) throw new SettingError(`${file}: two hooks are named ${hook.name}; rename one`);
      if (!earlier.secret.equals(hook.secret)) continue;
      throw new SettingError(`${file}: ${earlier.name} and ${hook.name} have one secret; give each hook its own`);
    }
  }
  return hooks;
}

function readReport(
  file: string,
  hook: string,
  { api, tokenFile, app, caFile }: z.infer<typeof Report>,
  url: string,
  pathOf: (name: string) => string,
): ReportSetting {
  // Read now, so that a file that is missing is noticed at the start and not with the first report.
  const check = (name: string): string => {
    const path = pathOf(name);
    readText(file, hook, path);
    return path;
  };
  return {
    api: new URL(api.endsWith('/') ? api : `${api}/`),
    tokenFile: tokenFile === undefined ? null : check(tokenFile),
    app: app === undefined ? null : { ...app, privateKeyFile: check(app.privateKeyFile) },
    ca: caFile === undefined ? null : readText(file, hook, pathOf(caFile)),
    web: url.replace(/\/$/, ''),
  };
}

function isApiAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  if (username !== '' || password !== '' || search !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname));
}

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8')) as unknown;
  } catch (error) {
    throw new SettingError(`PEERLAB_HOOKS_FILE ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readText(file: string, hook: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new SettingError(`${file}: hook ${hook}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readSecret(file: string, hook: string, secretFile: string): string {
  const text = readText(file, hook, secretFile);
  if (text.length >= SECRET_MIN_CHARACTERS) return text;
  throw new SettingError(
    `${file}: hook ${hook}: the secret in ${secretFile} is too short; use at least ${SECRET_MIN_CHARACTERS} characters`,
  );
}
