import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
// A required peer of Nest: interceptors get the answer as one of its streams. Nothing else uses it.
import { map, type Observable } from 'rxjs';
import { servedRoute } from './serve.js';

/** Every JSON answer is held to the contract, so that web, CLI and agent may rely on it. */
@Injectable()
export class AnswerInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const schema = servedRoute(context)?.response;
    if (schema === undefined) return next.handle();
    return next.handle().pipe(map((value: unknown) => schema.parse(value)));
  }
}
