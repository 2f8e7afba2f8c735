import { Injectable } from '@nestjs/common';
import {
  countsLines,
  LINE_COUNTS_FILE,
  LINE_COUNTS_MAX_BYTES,
  LineCounts,
  SERIES_DIFF_FILE,
  SERIES_DIFF_MAX_BYTES,
  type BuildCoverage,
} from '@peerlab/contracts';
import { BundleFiles } from '../builds/bundle-files.js';
import { ProblemError } from '../platform/http/problem.js';
import { FoundByAttempts } from './found-by-attempts.js';
import { mergeCoverage } from './merge-coverage.js';

/** Which lines of a build's series its attempts ran, read from what each of them counted. */
@Injectable()
export class BuildCoverageView {
  readonly #attempts: FoundByAttempts;
  readonly #bundles: BundleFiles;

  constructor(attempts: FoundByAttempts, bundles: BundleFiles) {
    this.#attempts = attempts;
    this.#bundles = bundles;
  }

  /** Throws ProblemError 404 for no such build and for one whose kernel does not count, 410 when its bundle was removed. */
  async of(id: string): Promise<BuildCoverage> {
    const { name, manifest } = await this.#attempts.build(id);
    if (manifest === null || !countsLines(manifest)) {
      throw new ProblemError(404, 'no-coverage', `the kernel ${name} does not count which lines of its series run`, {
        detail: 'a build with "config: coverage", or with CONFIG_GCOV_KERNEL=y in its fragment, does',
      });
    }
    const { found, without, isCut } = await this.#attempts.read(id, manifest.buildId, {
      name: LINE_COUNTS_FILE,
      maxBytes: LINE_COUNTS_MAX_BYTES,
      parse: (json) => LineCounts.parse(json),
    });
    const diff = found.length === 0 ? '' : await this.#bundles.read(id, SERIES_DIFF_FILE, SERIES_DIFF_MAX_BYTES);
    return {
      build: id,
      name,
      ...mergeCoverage(
        diff.toString(),
        found.map(({ value }) => value),
      ),
      attempts: found.map(({ value: { files }, ...place }) => {
        const ran = files.reduce((sum, file) => sum + file.ran.length, 0);
        const missed = files.reduce((sum, file) => sum + file.missed.length, 0);
        return { ...place, code: ran + missed, ran };
      }),
      without,
      isCut,
    };
  }
}
