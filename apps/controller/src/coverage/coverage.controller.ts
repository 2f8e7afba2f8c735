import { Controller } from '@nestjs/common';
import type { BuildCoverage, BuildMutants } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { BuildCoverageView } from './build-coverage.js';
import { BuildMutantsView } from './build-mutants.js';

@Controller()
export class CoverageController {
  readonly #coverage: BuildCoverageView;
  readonly #mutants: BuildMutantsView;

  constructor(coverage: BuildCoverageView, mutants: BuildMutantsView) {
    this.#coverage = coverage;
    this.#mutants = mutants;
  }

  @Serve('getBuildCoverage')
  getBuildCoverage(@Input() { params }: InputOf<'getBuildCoverage'>): Promise<BuildCoverage> {
    return this.#coverage.of(params.build);
  }

  @Serve('getBuildMutants')
  getBuildMutants(@Input() { params }: InputOf<'getBuildMutants'>): Promise<BuildMutants> {
    return this.#mutants.of(params.build);
  }
}
