import { createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ForgeHookSetting, ReportSetting } from '../../platform/hooks-file.js';
import { ForgeClient, ForgeError } from './forge-client.js';

const TOKEN_MAX = 8192;
const TOKEN = /^[\x21-\x7e]{1,8192}$/;
/** GitHub takes ten minutes at most; its clock may be behind ours. */
const JWT_SECONDS = 540;
const CLOCK_SECONDS = 30;
/** A token is renewed this long before its end, in milliseconds. */
const RENEW_MS = 5 * 60_000;

const InstallationToken = z.object({ token: z.string().max(TOKEN_MAX), expires_at: z.iso.datetime() });

/** Clients of the forges that hooks report to. Tokens are in headers alone, never in an address, a message or a log line. */
export class ForgeAccess {
  readonly #installationTokens = new Map<string, { token: string; untilMs: number }>();

  /** A client with the token that is valid now. Throws ForgeError when there is none. */
  async client(hook: ForgeHookSetting, report: ReportSetting): Promise<ForgeClient> {
    const token =
      report.app === null ? await readToken(report.tokenFile ?? '') : await this.#appToken(hook.name, report);
    return new ForgeClient(report.api, report.ca, HEADERS[hook.kind](token));
  }

  async #appToken(hook: string, { api, ca, app }: ReportSetting): Promise<string> {
    if (app === null) throw new Error('the report has no app');
    const known = this.#installationTokens.get(hook);
    if (known !== undefined && known.untilMs - RENEW_MS > Date.now()) return known.token;
    const jwt = appToken(app.id, await readText(app.privateKeyFile), Math.floor(Date.now() / 1000));
    const client = new ForgeClient(api, ca, HEADERS.github(jwt));
    const path = ['app', 'installations', String(app.installation), 'access_tokens'];
    const { token, expires_at: until } = InstallationToken.parse(await client.call('POST', path, {}));
    this.#installationTokens.set(hook, { token, untilMs: Date.parse(until) });
    return token;
  }

  /** Forgets a token that the forge refused. */
  forget(hook: string): void {
    this.#installationTokens.delete(hook);
  }
}

const HEADERS: Readonly<Record<ForgeHookSetting['kind'], (token: string) => Record<string, string>>> = {
  github: (token) => ({
    authorization: `Bearer ${token}`,
    accept: 'application/vnd.github+json',
    'x-github-api-version': '2022-11-28',
  }),
  gitlab: (token) => ({ 'private-token': token }),
  gitea: (token) => ({ authorization: `token ${token}` }),
};

/** A JSON Web Token that shows that we have the app's key. @param nowSeconds since 1970 */
export function appToken(id: number, privateKey: string, nowSeconds: number): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iat: nowSeconds - CLOCK_SECONDS, exp: nowSeconds + JWT_SECONDS, iss: String(id) };
  const text = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), createPrivateKey(privateKey)).toString('base64url')}`;
}

async function readToken(file: string): Promise<string> {
  const token = (await readText(file)).trim();
  if (!TOKEN.test(token)) throw new ForgeError(`${file} has no token: expected one line of visible characters`, null);
  return token;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ForgeError(error instanceof Error ? error.message : String(error), null);
  }
}
