import { type BuildError, describeBuildError } from '@peerlab/contracts';
import { JobFailure } from './failure.js';

/** A failure of a build that is told field by field, too. */
export class BuildFailed extends JobFailure {
  constructor(readonly error: BuildError) {
    super(error.class === 'infrastructure' ? 'infrastructure' : 'build', describeBuildError(error));
  }
}
