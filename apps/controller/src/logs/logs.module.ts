import { Module } from '@nestjs/common';
import { AttemptsModule } from '../attempts/attempts.module.js';
import { LogController } from './log.controller.js';
import { LogService } from './log.service.js';

/** Owns log_line. */
@Module({
  imports: [AttemptsModule],
  controllers: [LogController],
  providers: [LogService],
  exports: [LogService],
})
export class LogsModule {}
