import { Module } from '@nestjs/common';
import { BuildsModule } from '../builds/builds.module.js';
import { BuildCoverageView } from './build-coverage.js';
import { BuildMutantsView } from './build-mutants.js';
import { CoverageController } from './coverage.controller.js';
import { FoundByAttempts } from './found-by-attempts.js';

/** Owns no table: what attempts found out about the lines of a series are files of attempts. */
@Module({
  imports: [BuildsModule],
  controllers: [CoverageController],
  providers: [FoundByAttempts, BuildCoverageView, BuildMutantsView],
})
export class CoverageModule {}
