import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { cleanText } from '@peerlab/contracts';
import { z } from 'zod';
import type { RedfishBmc } from '../bmc.js';
import { MachineError } from '../errors.js';
import type { PowerState } from '../protocols.js';

const REQUEST_MS = 30_000;
/** An answer of Redfish that matters here takes some KiB. */
const BODY_MAX = 4 * 1024 * 1024;
const MESSAGE_MAX = 300;
const SYSTEMS = '/redfish/v1/Systems';

const Link = z.object({ '@odata.id': z.string().max(1000) });
const Collection = z.object({ Members: z.array(Link).max(1000) });
const Reset = z.object({
  target: z.string().max(1000),
  'ResetType@Redfish.AllowableValues': z.array(z.string().max(100)).max(100).optional(),
  '@Redfish.ActionInfo': z.string().max(1000).optional(),
});
const System = z.object({
  PowerState: z.string().max(100).nullish(),
  Actions: z.object({ '#ComputerSystem.Reset': Reset }).optional(),
});
const ActionInfo = z.object({
  Parameters: z
    .array(z.object({ Name: z.string().max(200), AllowableValues: z.array(z.string().max(100)).max(100).optional() }))
    .max(100),
});
/** What went wrong, in the words of the service. */
const Failure = z.object({
  error: z.object({
    message: z.string().optional(),
    '@Message.ExtendedInfo': z.array(z.object({ Message: z.string().optional() })).optional(),
  }),
});

/** A Redfish service: one system's power. Each request carries the password, so that no session is left open. */
export class RedfishSystem {
  readonly #bmc: RedfishBmc;
  #path: string | null = null;

  constructor(bmc: RedfishBmc) {
    this.#bmc = bmc;
  }

  async state(signal?: AbortSignal): Promise<PowerState> {
    const { PowerState } = await this.#system(signal);
    if (PowerState === 'On') return 'on';
    return PowerState === 'Off' ? 'off' : 'unknown';
  }

  /** Sends the first of `types` that the service allows; throws MachineError naming what it allows. */
  async reset(types: readonly string[], signal?: AbortSignal): Promise<void> {
    const action = (await this.#system(signal)).Actions?.['#ComputerSystem.Reset'];
    if (action === undefined)
      throw this.#error('the system has no reset action', 'check the BMC’s licence and user rights');
    const allowed = action['ResetType@Redfish.AllowableValues'] ?? (await this.#allowedByInfo(action, signal));
    // A service that lists nothing is asked for the commonest.
    const type = allowed === null ? types[0] : types.find((name) => allowed.includes(name));
    if (type === undefined) {
      throw this.#error(
        `none of ${types.join(', ')} is allowed (${(allowed ?? []).join(', ')})`,
        'use another power driver',
      );
    }
    await this.#send('POST', action.target, z.unknown(), { ResetType: type }, signal);
  }

  async #allowedByInfo(action: z.infer<typeof Reset>, signal?: AbortSignal): Promise<string[] | null> {
    const path = action['@Redfish.ActionInfo'];
    if (path === undefined) return null;
    const { Parameters } = await this.#send('GET', path, ActionInfo, null, signal);
    return Parameters.find(({ Name }) => Name === 'ResetType')?.AllowableValues ?? null;
  }

  async #system(signal?: AbortSignal): Promise<z.infer<typeof System>> {
    this.#path ??= await this.#find(signal);
    return this.#send('GET', this.#path, System, null, signal);
  }

  async #find(signal?: AbortSignal): Promise<string> {
    const { Members } = await this.#send('GET', SYSTEMS, Collection, null, signal);
    const paths = Members.map((member) => member['@odata.id']);
    const { system } = this.#bmc;
    const ids = paths.map((path) => path.split('/').filter(Boolean).at(-1) ?? '');
    const at = system === undefined ? 0 : ids.indexOf(system);
    if (system === undefined && paths.length !== 1) {
      throw this.#error(`it has ${paths.length} systems (${ids.slice(0, 10).join(', ')})`, 'name one with system:');
    }
    const path = paths[at];
    if (path === undefined)
      throw this.#error(`it has no system ${system}`, `systems are ${ids.slice(0, 10).join(', ')}`);
    return path;
  }

  async #send<S extends z.ZodType>(
    method: 'GET' | 'POST',
    path: string,
    schema: S,
    body: object | null,
    signal?: AbortSignal,
  ): Promise<z.infer<S>> {
    // What the service names as a path never leads to another host.
    if (!path.startsWith('/') || path.startsWith('//'))
      throw this.#error(`it names ${path.slice(0, 100)} as a path`, 'update the BMC');
    const { status, text } = await this.#request(method, path, body, signal);
    if (status === 401 || status === 403) {
      throw this.#error(`${method} ${path} is refused (${status})`, `check user and ${this.#bmc.passwordFile}`);
    }
    if (status < 200 || status >= 300) {
      throw this.#error(`${method} ${path} failed (${status})${wordsOf(text)}`, 'look at the BMC’s own log');
    }
    const parsed = schema.safeParse(text === '' ? {} : parseJson(text));
    if (!parsed.success) throw this.#error(`${method} ${path}: its answer is not Redfish`, 'check url');
    return parsed.data;
  }

  #request(
    method: string,
    path: string,
    body: object | null,
    signal?: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    const { url, user, certificateSha256 } = this.#bmc;
    const base = new URL(url);
    const payload = body === null ? null : JSON.stringify(body);
    const isHttps = base.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void =>
        reject(
          signal?.aborted === true
            ? (signal.reason as Error)
            : error instanceof MachineError
              ? error
              : this.#error(error.message, 'check url, certificateSha256, and that the BMC answers', error),
        );
      const request = (isHttps ? requestHttps : requestHttp)({
        host: base.hostname.replace(/^\[|\]$/g, ''),
        port: base.port === '' ? (isHttps ? 443 : 80) : Number(base.port),
        method,
        path,
        agent: false,
        // The pin is checked instead, before anything is sent: see below.
        ...(isHttps && certificateSha256 !== undefined ? { rejectUnauthorized: false } : {}),
        headers: {
          Accept: 'application/json',
          'OData-Version': '4.0',
          ...(payload === null
            ? {}
            : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) }),
        },
        ...(signal === undefined ? {} : { signal }),
      });
      const send = (): void => {
        request.setHeader('Authorization', `Basic ${Buffer.from(`${user}:${this.#password()}`).toString('base64')}`);
        request.end(payload ?? undefined);
      };
      request.on('error', fail);
      const stop = (why: string): void => {
        fail(new Error(why));
        request.destroy();
      };
      const timer = setTimeout(() => stop(`no whole answer within ${REQUEST_MS / 1000} s`), REQUEST_MS);
      request.on('close', () => clearTimeout(timer));
      request.on('socket', (socket) => {
        if (!isHttps) return guarded(send, fail);
        socket.once('secureConnect', () =>
          guarded(
            () => {
              const seen = (socket as TLSSocket).getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase();
              if (certificateSha256 !== undefined && seen !== certificateSha256) {
                throw new Error(`its certificate is ${seen}, not the pinned one`);
              }
              send();
            },
            (error) => {
              request.destroy();
              fail(error);
            },
          ),
        );
      });
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > BODY_MAX) stop(`its answer has more than ${BODY_MAX} bytes`);
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        );
      });
    });
  }

  #password(): string {
    try {
      return readFileSync(this.#bmc.passwordFile, 'utf8').trimEnd();
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? String(error);
      throw this.#error(`${this.#bmc.passwordFile} cannot be read (${why})`, 'correct passwordFile');
    }
  }

  #error(message: string, remedy: string, cause?: unknown): MachineError {
    return new MachineError('power', `Redfish at ${this.#bmc.url}: ${cleanText(message, MESSAGE_MAX)}`, remedy, cause);
  }
}

function guarded(work: () => void, fail: (error: Error) => void): void {
  try {
    work();
  } catch (error) {
    fail(error as Error);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function wordsOf(text: string): string {
  const parsed = Failure.safeParse(parseJson(text));
  if (!parsed.success) return '';
  const { message, '@Message.ExtendedInfo': more } = parsed.data.error;
  const words = more?.[0]?.Message ?? message ?? '';
  return words === '' ? '' : `: ${words.slice(0, MESSAGE_MAX)}`;
}
