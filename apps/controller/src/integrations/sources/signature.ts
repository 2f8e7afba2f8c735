import { createHash, createHmac, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';

type Secret = string | Buffer | KeyObject;

/** Hex HMAC-SHA256 over the parts, one behind the other. */
export function hmacOf(secret: Secret, ...parts: readonly (string | Buffer)[]): Buffer {
  const hmac = createHmac('sha256', secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** `sha256=` + hex HMAC-SHA256 over the parts. */
export const sign = (secret: Secret, ...parts: readonly (string | Buffer)[]): string =>
  `sha256=${hmacOf(secret, ...parts).toString('hex')}`;

/** Compares two texts in constant time, whatever their lengths. */
export function isSame(left: string | Buffer, right: string | Buffer): boolean {
  const key = randomBytes(32);
  return timingSafeEqual(hmacOf(key, left), hmacOf(key, right));
}

/** SHA-256 in hex of the bytes that are authenticated: the same ones again are a replay. */
export function digestOf(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
