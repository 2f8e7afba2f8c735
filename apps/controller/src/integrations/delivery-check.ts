import { createSecretKey, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { HOOK_HEADERS, HOOK_TOLERANCE_SECONDS, hookSigningPrefix } from '@peerlab/contracts';
import { z } from 'zod';
import type { HookSetting } from '../platform/hooks-file.js';
import { ProblemError } from '../platform/http/problem.js';
import { digestOf, isSignedBy } from './signature.js';

const GITHUB_HEADERS = { signature: 'x-hub-signature-256', delivery: 'x-github-delivery' } as const;
const DELIVERY = z.string().regex(/^[\x21-\x7e]{1,128}$/);
const TIMESTAMP = /^\d{1,12}$/;
const SIGNATURE = /^sha256=[0-9a-f]{64}$/;

/** Signs nothing: an unknown hook is checked against it, so that it takes as long as a known one. */
const NO_SECRET = createSecretKey(randomBytes(32));

/** A delivery whose signature is right and whose time is now. */
export interface SignedDelivery {
  id: string;
  /** SHA-256 of what the signature covers. */
  digest: string;
}

/** Whether any signature could be right; asked before the body is read. */
export function mayBeSigned(headers: IncomingHttpHeaders): boolean {
  return [HOOK_HEADERS.signature, GITHUB_HEADERS.signature].some((name) => SIGNATURE.test(headerOf(headers, name)));
}

/**
 * Checks who sent a delivery, by the bytes as they came. Throws ProblemError 401, the same one for an unknown
 * hook (null) as for a wrong signature; what else is wrong is told to who knows the secret.
 */
export function checkDelivery(
  hook: HookSetting | null,
  headers: IncomingHttpHeaders,
  body: Buffer,
  nowMs: number,
): SignedDelivery {
  const github = hook?.kind === 'github';
  const names = github ? GITHUB_HEADERS : HOOK_HEADERS;
  const id = headerOf(headers, names.delivery);
  const timestamp = headerOf(headers, HOOK_HEADERS.timestamp);
  // GitHub signs the body alone.
  const prefix = github ? '' : hookSigningPrefix(hook?.name ?? '', timestamp, id);
  const isRight = isSignedBy(hook?.secret ?? NO_SECRET, headerOf(headers, names.signature), prefix, body);
  if (hook === null || !isRight) throw badSignature();
  if (!github) checkTime(timestamp, nowMs);
  if (!DELIVERY.safeParse(id).success) {
    throw new ProblemError(400, 'no-delivery-id', `send an id that is unique per delivery in ${names.delivery}`);
  }
  return { id, digest: digestOf(prefix, body) };
}

function checkTime(timestamp: string, nowMs: number): void {
  const age = Math.abs(nowMs / 1000 - Number(timestamp));
  if (TIMESTAMP.test(timestamp) && age <= HOOK_TOLERANCE_SECONDS) return;
  throw new ProblemError(401, 'stale-delivery', `the timestamp is off by more than ${HOOK_TOLERANCE_SECONDS} s`, {
    detail: `${HOOK_HEADERS.timestamp} takes seconds since 1970; check the sender's clock`,
  });
}

/** The one answer for all who cannot show that they know a hook's secret. */
export const badSignature = (): ProblemError =>
  new ProblemError(401, 'bad-signature', 'there is no such hook, or the signature does not match', {
    detail: 'check the name of the hook in the address, its secret, and what is signed (apps/controller/README.md)',
  });

export function headerOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}
