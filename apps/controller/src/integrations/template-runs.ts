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
   * The run of a template, checked against the fleet. With a commit, its git build builds that commit; `mbox` is put behind
   * the series of its build named `series`. Throws ProblemError 422.
   */
  async examine({ template: name, commit, build, mbox }: TemplateOrder): Promise<FeasibleRun> {
    const templates = await this.#templates.list();
    const template = templates.find((one) => one.name === name);
    if (template === undefined) {
      const known = templates.map((one) => one.name).join(', ');
      throw new ProblemError(422, 'unknown-template', `there is no template "${name}"`, {
        errors: [{ path: 'template', message: `templates are ${known || 'not set up (see PEERLAB_TEMPLATES)'}` }],
      });
    }
    if (mbox === null && commit === null) return this.#runs.examine(template.yaml);
    const submitted = readSubmission(template.yaml);
    if (!submitted.ok) return this.#runs.examine(template.yaml);
    let { spec } = submitted;
    if (commit !== null) spec = withCommit(spec, commit, build, name);
    if (mbox !== null) spec = withSeries(spec, mbox, name);
    return { ...(await this.#runs.examineSpec(spec)), yaml: stringify(fileOfSpec(spec)) };
  }
}

/** What a run is made of. */
export interface TemplateOrder {
  template: string;
  commit: string | null;
  /** Which build takes the commit; null = the only one with a git source. */
  build: string | null;
  mbox: string | null;
}

/** The spec with a commit in the place of the ref of one of its git sources. */
function withCommit(spec: RunSpec, commit: string, name: string | null, template: string): RunSpec {
  const builds = spec.builds.filter(({ git }) => git !== undefined);
  const fitting = name === null ? builds : builds.filter((build) => build.name === name);
  const [target] = fitting;
  if (target?.git === undefined || fitting.length > 1) {
    throw new ProblemError(422, 'no-git-build', `the template "${template}" would not build the commit`, {
      detail:
        builds.length === 0
          ? `no build of the template "${template}" has a git source, so that the commit would not be tested`
          : `the template "${template}" has the git builds ${builds.map((build) => build.name).join(', ')}; name the one that takes the commit as build`,
    });
  }
  const git = { ...target.git, ref: commit };
  return { ...spec, builds: spec.builds.map((build) => (build === target ? { ...build, git } : build)) };
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
