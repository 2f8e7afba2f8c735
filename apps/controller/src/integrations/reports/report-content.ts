import { Injectable } from '@nestjs/common';
import {
  renderReport,
  reportOfRun,
  standingText,
  VERDICT_TABLE,
  VERDICTS,
  wrongText,
  type BuildError,
  type RunDetail,
} from '@peerlab/contracts';
import { FleetView } from '../../fleet/fleet.view.js';
import { GridView } from '../../grid/grid.js';
import { columnsOf, pick } from '../../platform/database/row-shape.js';
import { Sql } from '../../platform/database/sql.js';
import { RunView } from '../../runs/run.view.js';
import { Build } from '../../schema/builds.js';
import type { ClaimedReport } from './report-outbox.js';

/** A place in the tree that was built. */
export interface Annotation {
  path: string;
  /** From 1. */
  line: number;
  message: string;
}

/** How a commit stands, before a forge's own words for it. `lab` = nothing is known about the kernel. */
export type Standing = 'held' | 'refused' | 'queued' | 'running' | 'passed' | 'failed' | 'lab' | 'canceled';

/** What a forge is told. */
export interface ReportContent {
  standing: Standing;
  /** One line. */
  title: string;
  /** Markdown, SUMMARY_MAX at most. */
  summary: string;
  annotations: Annotation[];
  /** The page of the run, or that of the hooks. */
  url: string;
  startedAt: string | null;
  endedAt: string | null;
}

/** GitHub takes 65535 characters. */
const SUMMARY_MAX = 60_000;
/** As many as GitHub takes in one request. */
const ANNOTATIONS_MAX = 50;
const PATH_MAX = 500;

const BUILT = pick(columnsOf(Build), 'name', 'commit');
const FAILED = pick(columnsOf(Build), 'name', 'error');

/** Makes what a report says of the run as it is now. */
@Injectable()
export class ReportContents {
  readonly #sql: Sql;
  readonly #runs: RunView;
  readonly #grid: GridView;
  readonly #fleet: FleetView;

  constructor(sql: Sql, runs: RunView, grid: GridView, fleet: FleetView) {
    this.#sql = sql;
    this.#runs = runs;
    this.#grid = grid;
    this.#fleet = fleet;
  }

  /** @param web address of the web UI */
  async read({ run_id: runId, notice, commit }: ClaimedReport, web: string): Promise<ReportContent> {
    if (runId === null) {
      const standing = notice?.kind ?? 'refused';
      const text = notice?.text ?? 'The run was removed.';
      const title = standing === 'held' ? 'waits for approval' : text;
      const base = { annotations: [], startedAt: null, endedAt: null };
      return { ...base, standing, title, summary: text, url: `${web}/admin` };
    }
    const run = await this.#runs.detail(runId);
    const standing = standingOf(run);
    const isEnded = run.state === 'ended';
    const url = `${web}/runs/${runId}`;
    const text = isEnded ? await this.#report(run) : `[${run.name}](${url}): ${titleOf(run)}.`;
    return {
      standing,
      title: titleOf(run),
      summary: cut(`${await this.#built(runId, commit)}\n\n${text}`, url),
      annotations: isEnded ? await this.#annotations(runId) : [],
      url,
      startedAt: run.startedAt,
      endedAt: run.endedAt,
    };
  }

  async #report(run: RunDetail): Promise<string> {
    const [grid, machines] = await Promise.all([this.#grid.read({ run: run.id }, true), this.#fleet.machines()]);
    return renderReport(reportOfRun(run, grid, machines));
  }

  /** Which commit was built, as the builder found it in the repository. */
  async #built(runId: string, asked: string): Promise<string> {
    const builds = await this.#sql.rows(
      BUILT,
      `select name, commit from build where run_id = $1 and commit is not null order by position`,
      [runId],
    );
    if (builds.length === 0) return `Commit \`${asked}\`: no builder has fetched it yet.`;
    return builds.map(({ name, commit }) => `\`${name}\` is built from commit \`${commit}\`.`).join(' ');
  }

  /** Where the builds of a run failed. */
  async #annotations(runId: string): Promise<Annotation[]> {
    const builds = await this.#sql.rows(
      FAILED,
      'select name, error from build where run_id = $1 and error is not null order by position limit $2',
      [runId, ANNOTATIONS_MAX],
    );
    return builds.flatMap(({ name, error }) => {
      const place = placeOf(error);
      return place === null ? [] : [{ ...place, message: `${name}: ${place.message}` }];
    });
  }
}

/** File and line that a build error names; null where it names none in the tree. */
export function placeOf(error: BuildError | null): Annotation | null {
  if (error === null || error.class === 'infrastructure' || error.file == null) return null;
  const path = error.file.replace(/^\.\//, '');
  const isInTree = path !== '' && path.length <= PATH_MAX && !path.startsWith('/') && !path.split('/').includes('..');
  if (!isInTree) return null;
  return { path, line: Math.max(1, error.line ?? 1), message: error.detail };
}

function standingOf({ state, verdict }: Pick<RunDetail, 'state' | 'verdict'>): Standing {
  if (state !== 'ended') return state === 'queued' ? 'queued' : 'running';
  if (verdict === null) return 'lab';
  if (verdict === 'canceled') return 'canceled';
  const { exitCode } = VERDICT_TABLE[verdict];
  return exitCode === 0 ? 'passed' : exitCode === 1 ? 'failed' : 'lab';
}

/** `fail: 1 crash, 2 fail, 30 pass`, or how far it is. */
function titleOf(run: RunDetail): string {
  if (run.state !== 'ended') return standingText(run);
  const word = run.verdict === null ? 'no verdict' : VERDICT_TABLE[run.verdict].label;
  const counted = VERDICTS.filter((verdict) => VERDICT_TABLE[verdict].exitCode === 0)
    .filter((verdict) => (run.counts[verdict] ?? 0) > 0)
    .map((verdict) => `${run.counts[verdict]} ${VERDICT_TABLE[verdict].label}`);
  const parts = [wrongText(run.counts), ...counted].filter((part) => part !== '').join(', ');
  const isUnknown = run.verdict !== null && VERDICT_TABLE[run.verdict].wrong && !VERDICT_TABLE[run.verdict].conclusive;
  const because = isUnknown ? ' (nothing is known about the kernel)' : '';
  return `${word}${because}${parts === '' ? '' : `: ${parts}`}`;
}

function cut(text: string, url: string): string {
  if (text.length <= SUMMARY_MAX) return text;
  return `${text.slice(0, SUMMARY_MAX - 200)}\n\n…cut here; [the whole report](${url})\n`;
}
