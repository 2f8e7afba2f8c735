import { ROUTES, type Route } from '@peerlab/contracts';
import type { ExecutionContext } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFarm } from '../../testing/farm.js';
import { loadSettings } from '../config.js';
import { CallerLimit } from '../http/caller-limit.js';
import { declareRoutes } from '../http/declared-routes.js';
import { AuthGuard } from './auth.guard.js';
import { TicketService } from './ticket.service.js';
import { TokenService } from './token.service.js';

/** What anyone may call, wherever the controller listens. */
const PUBLIC = ['live', 'ready', 'health', 'getBadge'];
const NOWHERE = '00000000-0000-4000-8000-000000000000';

let farm: TestFarm;
let agentToken: string;
beforeAll(async () => {
  farm = await TestFarm.start({ publicReads: false });
  agentToken = await farm.token('agent', 'lab');
});
afterAll(() => farm.stop());

const routes = Object.entries(ROUTES) as [string, Route][];

function ask(route: Route, token: string | null): Promise<Response> {
  const path = route.path.replaceAll(/:[a-z0-9]+/g, NOWHERE);
  return fetch(farm.server.url + path, {
    method: route.method,
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      // An upload of another type is refused before its sender is known: its body is not read.
      ...(route === ROUTES.putArtifact && { 'content-type': 'application/octet-stream' }),
    },
  });
}

describe('every route', () => {
  it('that is served is declared, and every declared one is served', () => {
    const served = [...farm.server.routes].filter((route) => !route.startsWith('HEAD '));
    const declared = routes.map(([, { method, path }]) => `${method} ${path}`);
    expect(served.toSorted()).toEqual([...declared, 'GET /*'].toSorted());
  });

  it.each(routes)('%s is refused without a token, unless it is declared public or signed', async (name, route) => {
    const { status } = await ask(route, null);
    if (PUBLIC.includes(name)) expect([200, 400, 404, 503]).toContain(status);
    else if (route.access === 'signature') expect([400, 401]).toContain(status);
    else expect(status).toBe(401);
  });

  it.each(routes)('%s is refused with an agent token, unless it is declared for agents', async (_name, route) => {
    const { status } = await ask(route, agentToken);
    if (route.access === 'read' || route.access === 'user') expect(status).toBe(403);
    else expect(status).not.toBe(403);
  });

  it('answers HEAD as it does GET', async () => {
    expect((await fetch(`${farm.server.url}/api/v1/runs`, { method: 'HEAD' })).status).toBe(401);
  });

  it('with an access that the guard does not know is refused, and so is a handler without a route', async () => {
    const guard = new AuthGuard(
      farm.server.app.get(TokenService),
      new CallerLimit(),
      farm.settings,
      farm.server.app.get(TicketService),
    );
    const handled = (name: string): ExecutionContext => {
      const handler = (): null => null;
      Reflect.defineMetadata('peerlab:route', name, handler);
      return { getHandler: () => handler } as unknown as ExecutionContext;
    };
    await expect(guard.canActivate(handled('toString'))).rejects.toMatchObject({ code: 'undeclared' });
    await expect(guard.canActivate(handled('nothing'))).rejects.toMatchObject({ code: 'undeclared' });
    const { access } = ROUTES.listRuns;
    try {
      Object.assign(ROUTES.listRuns, { access: 'anyone' });
      await expect(guard.canActivate(handled('listRuns'))).rejects.toMatchObject({ code: 'undeclared' });
    } finally {
      Object.assign(ROUTES.listRuns, { access });
    }
  });

  it('without a declaration is refused', async () => {
    const undeclared = { getHandler: () => () => null } as unknown as ExecutionContext;
    const guard = new AuthGuard(
      farm.server.app.get(TokenService),
      new CallerLimit(),
      farm.settings,
      farm.server.app.get(TicketService),
    );
    await expect(guard.canActivate(undeclared)).rejects.toMatchObject({ status: 403, code: 'undeclared' });
    const fastify = new FastifyAdapter().getInstance();
    declareRoutes(fastify);
    expect(() => fastify.get('/api/v1/secrets', () => 'all of them')).toThrow('GET /api/v1/secrets is not a route');
  });
});

it('reads are open on loopback alone, unless that is asked for', () => {
  const reads = (env: Record<string, string>) => loadSettings(env, null).publicReads;
  expect(reads({})).toBe(true);
  expect(reads({ PEERLAB_HOST: '::1' })).toBe(true);
  expect(reads({ PEERLAB_HOST: '0.0.0.0' })).toBe(false);
  // A proxy makes it known to others.
  expect(reads({ PEERLAB_HOSTS: 'farm.example' })).toBe(false);
  expect(reads({ PEERLAB_HOST: '0.0.0.0', PEERLAB_PUBLIC_READS: 'yes' })).toBe(true);
  expect(reads({ PEERLAB_PUBLIC_READS: 'no' })).toBe(false);
  expect(() => reads({ PEERLAB_PUBLIC_READS: 'maybe' })).toThrow(/PEERLAB_PUBLIC_READS: expected yes or no/);
});
