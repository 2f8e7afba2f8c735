import { Controller } from '@nestjs/common';
import type { AnswerOf } from '@peerlab/contracts';
import { Caller } from './auth/auth.guard.js';
import type { Identity } from './auth/token.service.js';
import { Serve } from './http/serve.js';

@Controller()
export class SessionController {
  @Serve('session')
  session(@Caller() { name }: Identity): AnswerOf<'session'> {
    return { user: name };
  }
}
