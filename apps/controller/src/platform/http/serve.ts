import {
  applyDecorators,
  createParamDecorator,
  Get,
  HttpCode,
  Patch,
  Post,
  Put,
  SetMetadata,
  type ExecutionContext,
} from '@nestjs/common';
import { ROUTES, type Route, type RouteName } from '@peerlab/contracts';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { invalidInput } from './problem.js';

const ROUTE_NAME = 'peerlab:route';
const METHODS = { GET: Get, POST: Post, PUT: Put, PATCH: Patch };

type Output<S> = S extends z.ZodType ? z.output<S> : undefined;
type PartOf<N extends RouteName, K extends string> =
  (typeof ROUTES)[N] extends Record<K, infer S> ? Output<S> : undefined;

/** Checked params, query and body of a route. */
export interface InputOf<N extends RouteName> {
  params: PartOf<N, 'params'>;
  query: PartOf<N, 'query'>;
  body: PartOf<N, 'body'>;
}

/** Serves a route of the contract: method, path, access and schemas all come from ROUTES. */
export function Serve(name: RouteName): MethodDecorator {
  const route: Route = ROUTES[name];
  return applyDecorators(SetMetadata(ROUTE_NAME, name), METHODS[route.method](route.path), HttpCode(200));
}

/** The route that a handler serves; null for handlers outside of the contract. */
export function servedRoute(context: ExecutionContext): Route | null {
  const name = Reflect.getMetadata(ROUTE_NAME, context.getHandler()) as RouteName | undefined;
  return name !== undefined && Object.hasOwn(ROUTES, name) ? ROUTES[name] : null;
}

/** Parameter decorator: the request's params, query and body, parsed by the route's schemas. */
export const Input = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const route = servedRoute(context);
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  return {
    params: parsePart('params', route?.params, request.params),
    query: parsePart('query', route?.query, request.query),
    body: parsePart('body', route?.body, request.body),
  };
});

function parsePart(part: 'params' | 'query' | 'body', schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value ?? {});
  if (!parsed.success) throw invalidInput(part, parsed.error);
  return parsed.data;
}
