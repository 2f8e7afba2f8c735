import { isIP } from 'node:net';

/** A host as a browser names it, in lower case; an IPv6 address has no brackets. */
export interface NamedHost {
  name: string;
  /** null = the default port of the scheme. */
  port: number | null;
}

/** Longest host name of DNS, a port and brackets included: nothing longer is looked at. */
const HOST_MAX = 262;
const HOST = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_][a-z0-9_.-]*))(?::(\d{1,5}))?$/;

/** Takes a Host header or a configured host apart; null for anything else. Never throws. */
export function readHost(text: string): NamedHost | null {
  if (text.length > HOST_MAX) return null;
  const [, bracketed, plain, digits] = HOST.exec(text.toLowerCase()) ?? [];
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && port > 65_535) return null;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { name: canonicalIpv6(bracketed), port } : null;
  // The final dot of a fully qualified name changes nothing.
  const name = plain?.endsWith('.') === true ? plain.slice(0, -1) : plain;
  return name === undefined || name === '' ? null : { name, port };
}

/** One address has many spellings; the URL parser knows the shortest. */
function canonicalIpv6(address: string): string {
  const url = `http://[${address}]`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : address;
}

/** Whether only this machine can reach it: localhost, 127.0.0.0/8 and ::1. */
export function isLoopbackHost(name: string): boolean {
  if (name === 'localhost' || name === '::1' || name === '[::1]') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}
