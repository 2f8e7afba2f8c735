import { createHmac, timingSafeEqual } from 'node:crypto';

/** `sha256=` + hex HMAC-SHA256. */
export function sign(secret: string, text: string | Buffer): string {
  return `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;
}

/** Compares in constant time. */
export function isSignedBy(secret: string, text: string | Buffer, signature: string | undefined): boolean {
  const expected = Buffer.from(sign(secret, text));
  const given = Buffer.from(signature ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}
