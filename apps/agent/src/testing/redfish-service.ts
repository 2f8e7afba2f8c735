import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

interface Answer {
  status: number;
  body: object | null;
  headers?: Record<string, string>;
}

const ROOT = '/redfish/v1';
const SESSIONS = `${ROOT}/SessionService/Sessions`;
const LOGIN = { user: 'lab', password: 'a password' };
const BODY_MAX = 64 * 1024;

const link = (path: string): { '@odata.id': string } => ({ '@odata.id': path });
const collection = (path: string, type: string, members: readonly string[]): Answer => ({
  status: 200,
  body: {
    '@odata.id': path,
    '@odata.type': `#${type}.${type}`,
    Name: type,
    'Members@odata.count': members.length,
    Members: members.map((id) => link(`${path}/${id}`)),
  },
});
const failure = (status: number, message: string): Answer => ({
  status,
  body: { error: { code: 'Base.1.0.GeneralError', message, '@Message.ExtendedInfo': [{ Message: message }] } },
});

/**
 * A Redfish service with one system, as strict as real ones: service root, sessions, systems and their reset. A client of another
 * maker works with it (redfish-sushy.test.ts).
 */
export class RedfishService {
  power: 'On' | 'Off' = 'On';
  /** null = it lists none, and takes any. */
  allowed: string[] | null = ['On', 'ForceOff', 'ForceRestart'];
  /** In an ActionInfo of its own instead. */
  byInfo = false;
  systems = ['1'];
  readonly user = LOGIN.user;
  readonly password = LOGIN.password;
  readonly orders: string[] = [];
  readonly authorizations = new Set<string | undefined>();
  /** Open sessions, by their token: the id. */
  readonly sessions = new Map<string, string>();
  /** Sessions that were ever opened. */
  sessionsOpened = 0;

  serve(request: IncomingMessage, response: ServerResponse): void {
    this.authorizations.add(request.headers.authorization);
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= BODY_MAX) chunks.push(chunk);
    });
    request.on('end', () => {
      const { status, body, headers = {} } = this.#answer(request, Buffer.concat(chunks).toString());
      response.writeHead(status, { 'Content-Type': 'application/json', 'OData-Version': '4.0', ...headers });
      response.end(body === null ? '' : JSON.stringify(body));
    });
  }

  #answer(request: IncomingMessage, text: string): Answer {
    const method = request.method ?? '';
    const path = (request.url ?? '').replace(/\/$/, '');
    // Anybody may ask for the root and open a session.
    if (method === 'GET' && path === '/redfish') return { status: 200, body: { v1: `${ROOT}/` } };
    if (method === 'GET' && path === ROOT) return this.#root();
    if (method === 'POST' && path === SESSIONS) return this.#openSession(text);
    if (!this.#isKnown(request)) return failure(401, 'no valid session or login');
    if (method === 'DELETE' && path.startsWith(`${SESSIONS}/`)) return this.#closeSession(path);
    if (method === 'GET' && path === `${ROOT}/SessionService`) return this.#sessionService();
    if (method === 'GET' && path === SESSIONS)
      return collection(SESSIONS, 'SessionCollection', [...this.sessions.values()]);
    if (method === 'GET' && path === `${ROOT}/Systems`)
      return collection(path, 'ComputerSystemCollection', this.systems);
    const system = `${ROOT}/Systems/${this.systems[0]}`;
    if (method === 'GET' && path === system) return this.#system(system);
    if (method === 'GET' && path === `${system}/ResetActionInfo`) return this.#resetInfo(path);
    if (method === 'POST' && path === `${system}/Actions/ComputerSystem.Reset`) return this.#reset(text);
    return failure(404, `no ${path}`);
  }

  #isKnown({ headers }: IncomingMessage): boolean {
    const token = headers['x-auth-token'];
    if (typeof token === 'string') return this.sessions.has(token);
    return headers.authorization === `Basic ${Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64')}`;
  }

  #root(): Answer {
    return {
      status: 200,
      body: {
        '@odata.id': `${ROOT}/`,
        '@odata.type': '#ServiceRoot.v1_5_0.ServiceRoot',
        Id: 'RootService',
        Name: 'Root Service',
        RedfishVersion: '1.6.0',
        Systems: link(`${ROOT}/Systems`),
        SessionService: link(`${ROOT}/SessionService`),
        Links: { Sessions: link(SESSIONS) },
      },
    };
  }

  #sessionService(): Answer {
    const path = `${ROOT}/SessionService`;
    const type = '#SessionService.v1_1_0.SessionService';
    const body = { '@odata.id': path, '@odata.type': type, Id: 'SessionService', Name: 'Session Service' };
    return { status: 200, body: { ...body, ServiceEnabled: true, Sessions: link(SESSIONS) } };
  }

  #openSession(text: string): Answer {
    const { UserName, Password } = JSON.parse(text) as { UserName: string; Password: string };
    if (UserName !== LOGIN.user || Password !== LOGIN.password) return failure(401, 'wrong user or password');
    const token = randomBytes(16).toString('hex');
    this.sessionsOpened += 1;
    const id = String(this.sessionsOpened);
    this.sessions.set(token, id);
    const path = `${SESSIONS}/${id}`;
    return {
      status: 201,
      body: { '@odata.id': path, '@odata.type': '#Session.v1_0_0.Session', Id: id, Name: 'Session', UserName },
      headers: { 'X-Auth-Token': token, Location: path },
    };
  }

  #closeSession(path: string): Answer {
    const token = [...this.sessions].find(([, id]) => path === `${SESSIONS}/${id}`)?.[0];
    if (token === undefined) return failure(404, `no ${path}`);
    this.sessions.delete(token);
    return { status: 204, body: null };
  }

  #system(path: string): Answer {
    const how = this.byInfo
      ? { '@Redfish.ActionInfo': `${path}/ResetActionInfo` }
      : this.allowed === null
        ? {}
        : { 'ResetType@Redfish.AllowableValues': this.allowed };
    return {
      status: 200,
      body: {
        '@odata.id': path,
        '@odata.type': '#ComputerSystem.v1_5_0.ComputerSystem',
        Id: this.systems[0],
        Name: 'System',
        SystemType: 'Physical',
        PowerState: this.power,
        Boot: { BootSourceOverrideEnabled: 'Disabled', BootSourceOverrideTarget: 'None' },
        Actions: { '#ComputerSystem.Reset': { target: `${path}/Actions/ComputerSystem.Reset`, ...how } },
      },
    };
  }

  #resetInfo(path: string): Answer {
    const reset = { Name: 'ResetType', Required: true, DataType: 'String', AllowableValues: this.allowed };
    const type = '#ActionInfo.v1_0_0.ActionInfo';
    const body = { '@odata.id': path, '@odata.type': type, Id: 'ResetActionInfo', Name: 'Reset Action Info' };
    return { status: 200, body: { ...body, Parameters: [reset] } };
  }

  #reset(text: string): Answer {
    const { ResetType } = JSON.parse(text) as { ResetType: string };
    if (this.allowed !== null && !this.allowed.includes(ResetType)) return failure(400, 'not allowed');
    if (ResetType === 'On' && this.power === 'On') return failure(409, 'The system is on already.');
    this.orders.push(ResetType);
    if (ResetType === 'ForceOff') this.power = 'Off';
    if (ResetType === 'On' || ResetType === 'ForceOn' || (ResetType === 'PowerCycle' && this.power === 'Off'))
      this.power = 'On';
    return { status: 204, body: null };
  }
}
