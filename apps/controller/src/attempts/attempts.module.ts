import { Module } from '@nestjs/common';
import { AttemptStore } from './attempt-store.js';
import { LeaseStore } from './lease-store.js';
import { ParticipantStore } from './participant-store.js';
import { StreamStore } from './stream-store.js';
import { AttemptView } from './attempt.view.js';

/** Owns attempt, participant, lease, stream, attempt_stage, attempt_kernel. */
@Module({
  providers: [AttemptStore, ParticipantStore, LeaseStore, StreamStore, AttemptView],
  exports: [AttemptStore, ParticipantStore, LeaseStore, StreamStore, AttemptView],
})
export class AttemptsModule {}
