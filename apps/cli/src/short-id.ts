import type { HttpClient } from '@peerlab/client';
import { ID_PREFIX_MIN, type FoundId, type IdKind } from '@peerlab/contracts';
import { UsageError } from './exit-codes.js';

const UUID_LENGTH = 36;

/**
 * What an id or its beginning names, as pages show it (`1a2b3c4d`). Throws a UsageError for a text that is no id, and
 * for a beginning that several things have, which it lists.
 * @param kinds what it may be
 */
export async function findId(api: HttpClient, text: string, kinds: readonly IdKind[]): Promise<FoundId> {
  const prefix = text.toLowerCase();
  const what = kinds.join(' or ');
  if (!/^[0-9a-f-]+$/.test(prefix) || prefix.length > UUID_LENGTH)
    throw new UsageError(`"${text}" is not an id of a ${what}; take it from "peerlab runs", or from the page`);
  if (prefix.length < ID_PREFIX_MIN)
    throw new UsageError(`"${text}" is too short for an id; give at least ${ID_PREFIX_MIN} characters of it`);
  const all = await api.call('findIds', { params: { prefix } });
  const found = all.filter(({ kind }) => kinds.includes(kind));
  const [first, second] = found;
  if (first === undefined) throw new UsageError(`no ${what} has an id that begins with ${text}`);
  if (second === undefined) return first;
  const list = found.map(({ kind, id, name }) => `  ${id}  ${kind} ${name}`);
  throw new UsageError(`several ids begin with ${text}; give more of it:\n${list.join('\n')}`);
}

/** The id of a run by its beginning. Errors as `findId`. */
export const runId = async (api: HttpClient, text: string): Promise<string> => (await findId(api, text, ['run'])).id;
