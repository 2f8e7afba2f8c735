import type { IncomingHttpHeaders } from 'node:http';
import { GenericHook, HOOK_HEADERS, HOOK_TOLERANCE_SECONDS, hookSigningPrefix } from '@peerlab/contracts';
import { ProblemError } from '../../platform/http/problem.js';
import { headerOf, shortOf, type HookSource } from './hook-source.js';
import { digestOf, isSame, sign } from './signature.js';

const TIMESTAMP = /^\d{1,12}$/;
const SIGNATURE = /^sha256=[0-9a-f]{64}$/;

/** Any program that signs name, time, id and body of its delivery. */
export const GENERIC: HookSource = {
  mayBeAuthentic: (headers) => SIGNATURE.test(headerOf(headers, HOOK_HEADERS.signature)),

  authenticate({ name, secret }, headers, body, nowMs) {
    const id = headerOf(headers, HOOK_HEADERS.delivery);
    const timestamp = headerOf(headers, HOOK_HEADERS.timestamp);
    const prefix = hookSigningPrefix(name, timestamp, id);
    if (!isSame(headerOf(headers, HOOK_HEADERS.signature), sign(secret, prefix, body))) return null;
    checkTime(HOOK_HEADERS.timestamp, timestamp, nowMs);
    return { id: checkId(HOOK_HEADERS.delivery, headers), digest: digestOf(prefix, body) };
  },

  read(_, payload) {
    const { template, ref = null, commit = null, build = null, mbox = null } = GenericHook.parse(payload);
    const detail = [template, ref, commit === null ? null : shortOf(commit)].filter((part) => part !== null).join(' ');
    return { kind: 'request', detail, request: { template, ref, commit, build }, mbox };
  },
};

/** Throws ProblemError 401 for a time that is not now. @param timestamp seconds since 1970 */
export function checkTime(header: string, timestamp: string, nowMs: number): void {
  const age = Math.abs(nowMs / 1000 - Number(timestamp));
  if (TIMESTAMP.test(timestamp) && age <= HOOK_TOLERANCE_SECONDS) return;
  throw new ProblemError(401, 'stale-delivery', `the timestamp is off by more than ${HOOK_TOLERANCE_SECONDS} s`, {
    detail: `${header} takes seconds since 1970; check the sender's clock`,
  });
}

const ID = /^[\x21-\x7e]{1,128}$/;

/** The id of a delivery; throws ProblemError 400 when there is none. */
export function checkId(header: string, headers: IncomingHttpHeaders): string {
  const id = headerOf(headers, header);
  if (ID.test(id)) return id;
  throw new ProblemError(400, 'no-delivery-id', `send an id that is unique per delivery in ${header}`);
}
