import { createHash, createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';

type Secret = string | KeyObject;

/** `sha256=` + hex HMAC-SHA256 over the parts, one behind the other. */
export function sign(secret: Secret, ...parts: readonly (string | Buffer)[]): string {
  const hmac = createHmac('sha256', secret);
  for (const part of parts) hmac.update(part);
  return `sha256=${hmac.digest('hex')}`;
}

/** Compares in constant time. */
export function isSignedBy(secret: Secret, signature: string, ...parts: readonly (string | Buffer)[]): boolean {
  const expected = Buffer.from(sign(secret, ...parts));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** SHA-256 in hex of the bytes that a signature covers: the same ones again are a replay. */
export function digestOf(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
