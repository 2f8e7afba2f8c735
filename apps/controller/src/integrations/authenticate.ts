import { createSecretKey, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { HookSetting } from '../platform/hooks-file.js';
import { ProblemError } from '../platform/http/problem.js';
import { GENERIC } from './sources/generic.js';
import type { AuthenticDelivery } from './sources/hook-source.js';
import { HOOK_SOURCES } from './sources/registry.js';

/** Signs nothing: an unknown hook is checked against it, so that it takes as long as a known one. */
const NO_SECRET = createSecretKey(randomBytes(32));

/** Whether any sender could be proven; asked before the body is read. */
export function mayBeAuthentic(headers: IncomingHttpHeaders): boolean {
  return Object.values(HOOK_SOURCES).some((source) => source.mayBeAuthentic(headers));
}

/**
 * Checks who sent a delivery, by the bytes as they came. Throws ProblemError 401, the same one for an unknown
 * hook (null) as for a wrong signature; what else is wrong is told to who knows the secret.
 */
export function authenticate(
  hook: HookSetting | null,
  headers: IncomingHttpHeaders,
  body: Buffer,
  nowMs: number,
): AuthenticDelivery & { hook: HookSetting } {
  const source = hook === null ? GENERIC : HOOK_SOURCES[hook.kind];
  const authentic = source.authenticate(hook ?? { name: '', secret: NO_SECRET }, headers, body, nowMs);
  if (hook === null || authentic === null) throw badSignature();
  return { hook, ...authentic };
}

/** The one answer for all who cannot show that they know a hook's secret. */
export const badSignature = (): ProblemError =>
  new ProblemError(401, 'bad-signature', 'there is no such hook, or the signature does not match', {
    detail: 'check the name of the hook in the address, its secret, and what is signed (apps/controller/HTTP.md)',
  });
