import { hostname } from 'node:os';
import { isIP } from 'node:net';
import type { Settings } from '../config.js';
import { isLoopbackHost, type NamedHost, readHost } from './host-name.js';

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
