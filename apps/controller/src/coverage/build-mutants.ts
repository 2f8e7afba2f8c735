import { Injectable } from '@nestjs/common';
import {
  carriesMutants,
  MUTANT_RESULTS_FILE,
  MUTANTS_FILE,
  MUTANTS_MAX_BYTES,
  MutantList,
  MutantResults,
  type BuildMutants,
} from '@peerlab/contracts';
import { BundleFiles } from '../builds/bundle-files.js';
import { ProblemError } from '../platform/http/problem.js';
import { FoundByAttempts } from './found-by-attempts.js';
import { mergeMutants } from './merge-mutants.js';

/** Which mutants of a build's series its attempts noticed. */
@Injectable()
export class BuildMutantsView {
  readonly #attempts: FoundByAttempts;
  readonly #bundles: BundleFiles;

  constructor(attempts: FoundByAttempts, bundles: BundleFiles) {
    this.#attempts = attempts;
    this.#bundles = bundles;
  }

  /** Throws ProblemError 404 for no such build and for one without mutants, 410 when its bundle was removed. */
  async of(id: string): Promise<BuildMutants> {
    const { name, manifest } = await this.#attempts.build(id);
    if (manifest === null || !carriesMutants(manifest)) {
      throw new ProblemError(404, 'no-mutants', `the kernel ${name} carries no mutants of its series`, {
        detail: 'a build with "mutants: auto" does',
      });
    }
    const list = listOf(await this.#bundles.read(id, MUTANTS_FILE, MUTANTS_MAX_BYTES));
    const { found, without, isCut } = await this.#attempts.read(id, manifest.buildId, {
      name: MUTANT_RESULTS_FILE,
      maxBytes: MUTANTS_MAX_BYTES,
      parse: (json) => MutantResults.parse(json),
    });
    return {
      build: id,
      name,
      total: list.total,
      ...mergeMutants(
        list,
        found.map(({ machine, value: { results } }) => ({ machine, results })),
      ),
      attempts: found.map(({ value: { isComplete, results }, ...place }) => ({
        ...place,
        isComplete,
        tried: results.length,
        killed: results.filter(({ verdict }) => verdict === 'killed').length,
      })),
      without,
      isCut,
    };
  }
}

function listOf(bytes: Buffer): MutantList {
  try {
    return MutantList.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    throw new ProblemError(500, 'bad-mutants', `${MUTANTS_FILE} of the bundle cannot be read`, {
      detail: 'build the kernel again',
      cause,
    });
  }
}
