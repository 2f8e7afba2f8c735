import { Module } from '@nestjs/common';
import { Baselines } from './baselines.js';
import { FailureController } from './failure.controller.js';
import { FailureMemoryView } from './failure-memory.js';
import { KnownFailures } from './known-failures.js';
import { RunFailuresView } from './run-failures.js';

/** Owns known_failure, baseline, baseline_failure. */
@Module({
  controllers: [FailureController],
  providers: [FailureMemoryView, RunFailuresView, KnownFailures, Baselines],
})
export class FailuresModule {}
