import { Injectable } from '@nestjs/common';
import {
  parsePatch,
  type BuildBase,
  type BuildDetail,
  type BuildJob,
  type BuildSource,
  type BuildSpec,
  type PatchSummary,
  type SeriesSource,
} from '@peerlab/contracts';
import { columnsOf, integer, json, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { Attempt } from '../schema/attempts.js';
import { Artifact, Build, Bundle } from '../schema/builds.js';
import { Job, Run } from '../schema/runs.js';
import { PatchStore } from './patch-store.js';
import { splitMbox } from './series-text.js';

const BUILD = columnsOf(Build);
const RUN = columnsOf(Run);
const ARTIFACT = columnsOf(Artifact);

/** Columns of a build's bundle, which it may not have. */
export const BUNDLE_FILE = {
  sha256: nullable(ARTIFACT.sha256),
  size_bytes: nullable(ARTIFACT.size_bytes),
  removed_at: ARTIFACT.removed_at,
};
const BUILD_DETAIL = {
  ...pick(BUILD, 'id', 'name', 'run_id', 'state', 'spec', 'error', 'created_at', 'bundle_key', 'commit', 'drivers'),
  run_name: RUN.name,
  run_state: RUN.state,
  trigger: text,
  manifest: nullable(columnsOf(Bundle).manifest),
  ...BUNDLE_FILE,
};
const BUILD_JOB = {
  ...pick(columnsOf(Job), 'id', 'machine', 'state', 'verdict'),
  combination: nullable(json<NonNullable<BuildJob['combination']>>()),
  role: nullable(text),
  attempt_id: nullable(columnsOf(Attempt).id),
};
const SAME_BUNDLE = { ...pick(BUILD, 'id', 'name', 'run_id', 'created_at'), run_name: RUN.name, total: integer };

type BuildDetailRow = RowOf<typeof BUILD_DETAIL>;

/** Reads all about one kernel build: its sources, its bundle, its patches and its tests. */
@Injectable()
export class BuildDetailView {
  readonly #sql: Sql;
  readonly #patchStore: PatchStore;

  constructor(sql: Sql, patchStore: PatchStore) {
    this.#sql = sql;
    this.#patchStore = patchStore;
  }

  async read(id: string): Promise<BuildDetail> {
    const row = await this.#row(id);
    const [jobs, builder, same, patches] = await Promise.all([
      this.#jobs(id),
      this.#sql.one(
        pick(columnsOf(Attempt), 'id'),
        `select t.id from attempt t join job j on j.id = t.job_id
         where j.build_id = $1 and j.kind = 'build' order by t.number desc limit 1`,
        [id],
      ),
      this.#same(id, row.bundle_key),
      this.#patches(row),
    ]);
    return {
      id: row.id,
      name: row.name,
      runId: row.run_id,
      runName: row.run_name,
      state: row.state,
      bundle: bundleOf(row),
      error: row.error,
      createdAt: row.created_at.toISOString(),
      // Shown under the key that runs name it by.
      manifest: row.manifest === null ? null : { ...row.manifest, key: row.bundle_key ?? row.manifest.key },
      drivers: row.drivers,
      run: { state: row.run_state, trigger: row.trigger },
      config: row.manifest?.config.name ?? row.spec.config ?? null,
      configFile: row.spec.configFile ?? null,
      fragment: row.spec.fragment ?? null,
      source: baseOf(row),
      sources: row.spec.bundle === undefined ? (row.spec.series ?? []).map(sourceOf) : null,
      buildAttemptId: builder?.id ?? null,
      jobs,
      patches,
      missing: whyMissing(row, patches.filter(({ content }) => content === null).length),
      ...same,
    };
  }

  /** Text of the patch with this number, from 1. */
  async patch(id: string, number: number): Promise<string> {
    const row = await this.#row(id);
    return (await this.#content(row, number, carriedBy(row.spec))).toString('utf8');
  }

  /** All patches in the order applied; 404 when one is not stored. */
  async series(id: string): Promise<Buffer[]> {
    const row = await this.#row(id);
    const carried = carriedBy(row.spec);
    const count = digestsOf(row, carried).length;
    const texts: Buffer[] = [];
    for (let number = 1; number <= count; number += 1) texts.push(await this.#content(row, number, carried));
    return texts;
  }

  async #content(row: BuildDetailRow, number: number, carried: Carried): Promise<Buffer> {
    const sha256 = digestsOf(row, carried)[number - 1];
    if (sha256 === undefined) throw notFound('patch', `${number} of build ${row.id}`);
    const content = (await this.#patchStore.content(sha256)) ?? carried().get(sha256);
    if (content !== undefined) return content;
    throw new ProblemError(404, 'no-patch-text', `the text of patch ${number} is not stored`, {
      detail: whyMissing(row, 1) ?? 'retention has just removed it',
    });
  }

  async #row(id: string): Promise<BuildDetailRow> {
    const row = await this.#sql.one(
      BUILD_DETAIL,
      `select b.id, b.name, b.run_id, r.name as run_name, r.state as run_state,
         r.trigger_kind || ', ' || r.trigger_detail as trigger, b.state, b.spec, b.error, b.created_at, b.bundle_key, b.commit, b.drivers,
         u.manifest, u.sha256, a.size_bytes, a.removed_at
       from build b join run r on r.id = b.run_id
         left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256 where b.id = $1`,
      [id],
    );
    if (row === null) throw notFound('build', id);
    return row;
  }

  async #jobs(id: string): Promise<BuildJob[]> {
    const rows = await this.#sql.rows(
      BUILD_JOB,
      `select j.id, part.machine, case when j.roles > 1 then part.role end as role, j.state, j.verdict,
         case when c.hash is not null
           then jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) end as combination,
         (select t.id from attempt t where t.job_id = j.id order by t.number desc limit 1) as attempt_id
       from job_part part join job j on j.id = part.job_id left join combination c on c.hash = j.combination
       where part.build_id = $1 and j.kind = 'test' order by c.label, c.hash, part.machine, j.position, part.position`,
      [id],
    );
    return rows.map(({ attempt_id: attemptId, ...job }) => ({ ...job, attemptId }));
  }

  async #same(id: string, key: string | null): Promise<Pick<BuildDetail, 'same' | 'sameTotal'>> {
    if (key === null) return { same: [], sameTotal: 0 };
    const rows = await this.#sql.rows(
      SAME_BUNDLE,
      `select b.id, b.name, b.run_id, r.name as run_name, b.created_at, (count(*) over ())::int as total from build b join run r on r.id = b.run_id
       where b.bundle_key = $1 and b.id <> $2 order by b.created_at desc limit 10`,
      [key, id],
    );
    const same = rows.map((row) => ({
      id: row.id,
      name: row.name,
      runId: row.run_id,
      runName: row.run_name,
      createdAt: row.created_at.toISOString(),
    }));
    return { same, sameTotal: rows[0]?.total ?? 0 };
  }

  async #patches(row: BuildDetailRow): Promise<PatchSummary[]> {
    const carried = carriedBy(row.spec);
    const named = row.manifest?.series ?? [...carried()].map(([sha256, text]) => ({ ...nameOf(text), sha256 }));
    return Promise.all(
      named.map(async ({ file, subject, sha256 }, index) => ({
        number: index + 1,
        file,
        subject,
        sha256,
        content: await this.#patchStore.summary(sha256, carried),
      })),
    );
  }
}

/** The bundle's file as the API shows it. */
export function bundleOf(row: RowOf<typeof BUNDLE_FILE>): BuildDetail['bundle'] {
  if (row.sha256 === null || row.size_bytes === null) return null;
  return { sha256: row.sha256, sizeBytes: row.size_bytes, removedAt: row.removed_at?.toISOString() ?? null };
}

function baseOf({ spec: { git, tarball, base, bundle }, commit }: BuildDetailRow): BuildBase | null {
  if (bundle !== undefined) return null;
  if (git !== undefined) return { kind: 'git', ...git, commit };
  if (base !== undefined) return { kind: 'base', name: base };
  return tarball === undefined ? { kind: 'farm' } : { kind: 'tarball', sha256: tarball };
}

function sourceOf(source: SeriesSource): BuildSource {
  if (source === 'bundled') return { kind: 'bundled' };
  if ('mutant' in source) return { kind: 'mutant', name: source.mutant };
  if ('mbox' in source) return { kind: 'mbox', characters: source.mbox.length };
  return { kind: 'artifact', sha256: source.artifact };
}

/** Patches that the run itself carries as text, by digest. They may have megabytes: split on the first call only. */
export type Carried = () => ReadonlyMap<string, Buffer>;

export function carriedBy(spec: BuildSpec): Carried {
  let texts: Map<string, Buffer> | null = null;
  return () => {
    texts ??= new Map(
      (spec.series ?? [])
        .flatMap((source) => (typeof source === 'object' && 'mbox' in source ? splitMbox(source.mbox) : []))
        .map(({ sha256, content }) => [sha256, content]),
    );
    return texts;
  };
}

function digestsOf(row: BuildDetailRow, carried: Carried): string[] {
  return row.manifest?.series.map(({ sha256 }) => sha256) ?? [...carried().keys()];
}

function nameOf(text: Buffer): { file: string; subject: string } {
  const { subject, files } = parsePatch(text.toString('utf8'), { lines: false });
  return { file: 'mbox', subject: subject ?? files[0]?.path ?? 'a patch without a subject' };
}

/** Why the text of `lacking` patches is not stored, for people; null when none is missing. */
function whyMissing({ manifest, spec, state }: BuildDetailRow, lacking: number): string | null {
  if (manifest === null) {
    if ((spec.series ?? []).every((source) => typeof source === 'object' && 'mbox' in source)) return null;
    return state === 'failed'
      ? 'The build failed, so only patches that the run carries as text are shown. The bundled series is ' +
          'kernel/patches of the farm, a mutant is a file in kernel/mutants.'
      : 'Patches that the run does not carry as text are shown after the build.';
  }
  if (lacking === 0) return null;
  const what = `The text of ${lacking} of ${manifest.series.length} patches is not stored`;
  return spec.bundle === undefined
    ? `${what}: the kernel was built by an agent that did not upload it, or retention removed it. Retry the run: its ` +
        'build finds the kernel in the cache and uploads the text.'
    : `${what}: the bundle was uploaded by a user. Upload each patch as an artifact; patches are found by digest.`;
}
