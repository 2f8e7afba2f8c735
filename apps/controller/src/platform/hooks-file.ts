import { createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Name } from '@peerlab/contracts';
import { parse } from 'yaml';
import { z } from 'zod';
import { SettingError } from './setting-error.js';

/** Shorter secrets can be guessed offline from one signed delivery. */
const SECRET_MIN_CHARACTERS = 16;
/** Hooks of one farm: each delivery searches the list, and each hook has a limit of its own in memory. */
const HOOKS_MAX = 200;

const Common = { name: Name, secretFile: z.string().min(1) };
const HooksFile = z.strictObject({
  hooks: z
    .array(
      z.discriminatedUnion('kind', [
        z.strictObject({ ...Common, kind: z.literal('generic'), templates: z.array(Name).min(1) }),
        z.strictObject({
          ...Common,
          kind: z.literal('github'),
          // GitHub signs the body alone: a template that the address named could be changed by anyone who saw it.
          templates: z.array(Name).length(1, 'a github hook runs one template; make one hook for each'),
          /** `owner/name` of the repositories that it may speak for. */
          repositories: z.array(z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'expected owner/name')).min(1),
        }),
      ]),
    )
    .max(HOOKS_MAX),
});

interface CommonHook {
  name: string;
  /** An object whose content appears in no log line and no JSON. */
  secret: KeyObject;
  /** Names of the templates that it may run. */
  templates: readonly string[];
}
export type GenericHookSetting = CommonHook & { kind: 'generic' };
export type GithubHookSetting = CommonHook & { kind: 'github'; repositories: readonly string[] };
/** A webhook that may start runs. */
export type HookSetting = GenericHookSetting | GithubHookSetting;

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
  const hooks = parsed.data.hooks.map(({ secretFile, ...hook }): HookSetting => {
    const secret = createSecretKey(readSecret(file, hook.name, resolve(dirname(file), secretFile)), 'utf8');
    return { ...hook, secret };
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

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8')) as unknown;
  } catch (error) {
    throw new SettingError(`PEERLAB_HOOKS_FILE ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readSecret(file: string, hook: string, secretFile: string): string {
  let text: string;
  try {
    text = readFileSync(secretFile, 'utf8').trim();
  } catch (error) {
    throw new SettingError(`${file}: hook ${hook}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (text.length >= SECRET_MIN_CHARACTERS) return text;
  throw new SettingError(
    `${file}: hook ${hook}: the secret in ${secretFile} is too short; use at least ${SECRET_MIN_CHARACTERS} characters`,
  );
}
