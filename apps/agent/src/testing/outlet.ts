import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One outlet of a PDU that is switched over HTTP, on loopback: GET tells `on` or `off`, PUT takes `on`, `off` or `cycle`. */
export interface Outlet {
  url: string;
  user: string;
  password: string;
  state(): 'on' | 'off';
  /** Orders that it took, in their order. */
  orders(): string[];
  /** `stays off` = it takes every order and closes no relay; `hangs` = it takes connections and never answers. */
  behave(as: 'well' | 'stays off' | 'hangs'): void;
  /** Called when power goes or comes. */
  onChange: (state: 'on' | 'off') => void;
  stop(): Promise<void>;
}

const USER = 'peerlab';
const PASSWORD = 'an outlet password';
const BODY_MAX = 64;

/** Starts it, switched on. */
export async function startOutlet(): Promise<Outlet> {
  let state: 'on' | 'off' = 'on';
  let behaviour: Parameters<Outlet['behave']>[0] = 'well';
  const orders: string[] = [];
  const turn = (next: 'on' | 'off'): void => {
    if (next === state || (next === 'on' && behaviour === 'stays off')) return;
    state = next;
    outlet.onChange(next);
  };
  const answer = (method: string, order: string): number => {
    if (method === 'GET') return 200;
    if (method !== 'PUT') return 405;
    if (order !== 'on' && order !== 'off' && order !== 'cycle') return 400;
    orders.push(order);
    if (order !== 'on') turn('off');
    if (order !== 'off') turn('on');
    return 200;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (behaviour === 'hangs') return;
    let order = '';
    for await (const chunk of request) order = `${order}${String(chunk)}`.slice(0, BODY_MAX);
    const login = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
    const isKnown = request.headers.authorization === login;
    const status = !isKnown ? 401 : request.url === '/outlets/7' ? answer(request.method ?? '', order) : 404;
    response.writeHead(status, { 'Content-Type': 'text/plain', Connection: 'close' });
    response.end(status === 200 ? `${state}\n` : '');
  };
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const outlet: Outlet = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    user: USER,
    password: PASSWORD,
    state: () => state,
    orders: () => [...orders],
    behave: (as) => {
      behaviour = as;
    },
    onChange: () => undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return outlet;
}
