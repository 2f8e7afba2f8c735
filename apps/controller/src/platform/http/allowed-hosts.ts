import { hostname } from 'node:os';
import { isIP } from 'node:net';
import type { Settings } from '../config.js';

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

/**
 * The names under which this controller may be addressed. A browser sends the name of the page's address as
 * `Host`: a foreign name there means that a foreign page made its own name lead here (DNS rebinding), and would
 * read what we answer as its own. An address cannot be rebound, so a controller that listens beyond loopback
 * takes every address.
 */
export class AllowedHosts {
  readonly #isLoopbackOnly: boolean;
  readonly #names: ReadonlySet<string>;
  readonly #configured: readonly NamedHost[];

  constructor({ host, hosts }: Pick<Settings, 'host' | 'hosts'>, ownName: string = hostname()) {
    this.#isLoopbackOnly = isLoopbackHost(host);
    this.#configured = hosts.map(readHost).filter((read) => read !== null);
    this.#names = new Set([
      'localhost',
      host.toLowerCase(),
      ...(this.#isLoopbackOnly ? [] : [ownName.toLowerCase()]),
      ...this.#configured.map(({ name }) => name),
    ]);
  }

  /** Whether a request may name this host; the port is not looked at, as tunnels and proxies change it. */
  allows(header: string | undefined): boolean {
    const host = readHost(header ?? '');
    if (host === null) return false;
    if (this.#names.has(host.name) || isLoopbackHost(host.name)) return true;
    return !this.#isLoopbackOnly && isIP(host.name) !== 0;
  }

  /**
   * Whether a page of this origin may open a channel: it has to be the very host and port that the request
   * names, or one of the configured hosts, for proxies that put another Host in. A page on another port of
   * localhost is a foreign one. Clients that are no browsers send no Origin.
   */
  allowsOrigin(origin: string | undefined, header: string | undefined): boolean {
    if (origin === undefined) return true;
    const scheme = ['http://', 'https://'].find((prefix) => origin.startsWith(prefix));
    if (scheme === undefined) return false;
    const from = readHost(origin.slice(scheme.length));
    const host = readHost(header ?? '');
    if (from === null || host === null) return false;
    const portOf = ({ port }: NamedHost): number => port ?? (scheme === 'https://' ? 443 : 80);
    const isThere = (there: NamedHost): boolean => there.name === from.name && portOf(there) === portOf(from);
    return isThere(host) || this.#configured.some(isThere);
  }
}
