import { Injectable } from '@nestjs/common';
import { fileOfSpec, type RunSpec } from '@peerlab/contracts';
import { stringify } from 'yaml';
import { ProblemError } from '../platform/http/problem.js';
import { RunService, type FeasibleRun } from '../runs/run.service.js';
import { readSubmission } from '../runs/submission.js';
import { TemplateFolder } from '../runs/templates.js';

/** Build of a template that takes the series of a generic hook. */
const SERIES_BUILD = 'series';

/** Runs made from templates. */
@Injectable()
export class TemplateRuns {
  readonly #runs: RunService;
  readonly #templates: TemplateFolder;

  constructor(runs: RunService, templates: TemplateFolder) {
    this.#runs = runs;
    this.#templates = templates;
  }

  /**
   * The run of a template, checked against the fleet; `mbox` is put behind the series of its build named
   * `series`. Throws ProblemError 422.
   */
  async examine(name: string, mbox: string | null): Promise<FeasibleRun> {
    const templates = await this.#templates.list();
    const template = templates.find((one) => one.name === name);
    if (template === undefined) {
      const known = templates.map((one) => one.name).join(', ');
      throw new ProblemError(422, 'unknown-template', `there is no template "${name}"`, {
        errors: [{ path: 'template', message: `templates are ${known || 'not set up (see PEERLAB_TEMPLATES)'}` }],
      });
    }
    if (mbox === null) return this.#runs.examine(template.yaml);
    const submitted = readSubmission(template.yaml);
    if (!submitted.ok) return this.#runs.examine(template.yaml);
    const spec = withSeries(submitted.spec, mbox, name);
    return {
      ...(await this.#runs.examineSpec(spec)),
      yaml: stringify(fileOfSpec(spec), { lineWidth: 0, blockQuote: 'literal', doubleQuotedAsJSON: true }),
    };
  }
}

/** The spec with the text put behind what its build named `series` applies already. */
function withSeries(spec: RunSpec, mbox: string, template: string): RunSpec {
  const target = spec.builds.find(({ name, series }) => name === SERIES_BUILD && series !== undefined);
  if (target === undefined) {
    throw new ProblemError(422, 'no-series-build', `the template "${template}" takes no series`, {
      errors: [
        {
          path: 'mbox',
          message: `the template has no build named "${SERIES_BUILD}"`,
          remedy: 'leave mbox out, or name a build of the template so',
        },
      ],
    });
  }
  const builds = spec.builds.map((build) =>
    build === target ? { ...build, series: [...(build.series ?? []), { mbox }] } : build,
  );
  return { ...spec, builds };
}
