import { parseArgs } from 'node:util';
import { AgentWork, Name, type TokenKind } from '@peerlab/contracts';
import type { AgentLimits } from './platform/auth/token.service.js';
import { SettingError } from './platform/config.js';

export type Command =
  | { name: 'serve'; config: string | null }
  | { name: 'migrate'; config: string | null }
  | { name: 'token-create'; config: string | null; kind: TokenKind; tokenName: string; limits: AgentLimits }
  | { name: 'database-stop'; config: string | null }
  | { name: 'backup'; config: string | null; target: string }
  | { name: 'restore'; config: string | null; folder: string };

export const USAGE = `peerlab-controller [--config FILE.yaml]                     serve
peerlab-controller migrate                                 bring the database up to date
peerlab-controller token create --kind user --name N       print a new token, once
peerlab-controller token create --kind agent --name N [--site S] [--only test|build]
peerlab-controller database stop                           stop the embedded Postgres
peerlab-controller backup FOLDER                           save database and artifacts below FOLDER
peerlab-controller restore FOLDER/TIME                     fill an empty database and artifact folder`;

/** Reads the arguments; throws SettingError with the usage. */
export function readCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  const config = values.config ?? null;
  const [first, second] = positionals;
  if (first === 'backup' || first === 'restore') {
    if (second === undefined || positionals.length > 2) throw new SettingError(`${first}: give one folder\n${USAGE}`);
    return first === 'backup' ? { name: first, config, target: second } : { name: first, config, folder: second };
  }
  switch (positionals.join(' ')) {
    case '':
      return { name: 'serve', config };
    case 'migrate':
      return { name: 'migrate', config };
    case 'database stop':
      return { name: 'database-stop', config };
    case 'token create': {
      const { kind } = values;
      if (kind !== 'user' && kind !== 'agent') throw new SettingError(`--kind: give user or agent\n${USAGE}`);
      const tokenName = Name.safeParse(values.name);
      if (!tokenName.success) throw new SettingError(`--name: ${tokenName.error.issues[0]?.message}\n${USAGE}`);
      return { name: 'token-create', config, kind, tokenName: tokenName.data, limits: readLimits(kind, values) };
    }
    default:
      throw new SettingError(`unknown command "${positionals.join(' ')}"\n${USAGE}`);
  }
}

function readLimits(kind: TokenKind, given: { site?: string | undefined; only?: string | undefined }): AgentLimits {
  if (kind !== 'agent' && (given.site !== undefined || given.only !== undefined)) {
    throw new SettingError(`--site, --only: only for agents\n${USAGE}`);
  }
  const site = Name.nullable().safeParse(given.site ?? null);
  if (!site.success) throw new SettingError(`--site: ${site.error.issues[0]?.message}\n${USAGE}`);
  const only = AgentWork.nullable().safeParse(given.only ?? null);
  if (!only.success) throw new SettingError(`--only: give test or build\n${USAGE}`);
  return { site: site.data, only: only.data };
}

function parse(args: readonly string[]): {
  values: Partial<Record<'config' | 'kind' | 'name' | 'site' | 'only', string | undefined>>;
  positionals: string[];
} {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        kind: { type: 'string' },
        name: { type: 'string' },
        site: { type: 'string' },
        only: { type: 'string' },
      },
    });
  } catch (error) {
    throw new SettingError(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
}
