import { Module } from '@nestjs/common';
import { AttemptsModule } from '../attempts/attempts.module.js';
import { MeetingService } from './meeting.service.js';

/** Owns meeting. */
@Module({
  imports: [AttemptsModule],
  providers: [MeetingService],
  exports: [MeetingService],
})
export class MeetingsModule {}
