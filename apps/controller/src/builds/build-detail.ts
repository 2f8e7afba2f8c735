import { Injectable } from '@nestjs/common';
import {
  parsePatch,
  type BuildDetail,
  type BuildError,
  type BuildJob,
  type BuildSource,
  type BuildSpec,
  type BundleManifest,
  type PatchSummary,
  type RunState,
  type SeriesSource,
} from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import type { BuildState } from '../schema/builds.js';
import { PatchShelf } from './patch-shelf.js';
import { splitMbox } from './series-text.js';

interface Row {
  id: string;
  name: string;
  run_id: string;
  run_name: string;
  run_state: RunState;
  trigger: string;
  state: BuildState;
  spec: BuildSpec;
  error: BuildError | null;
  created_at: Date;
  bundle_key: string | null;
  manifest: BundleManifest | null;
  sha256: string | null;
  size_bytes: number;
  removed_at: Date | null;
}

/** Everything about one kernel build: what went in, what came out, and what it was tested on. */
@Injectable()
export class BuildDetailView {
  readonly #sql: Sql;
  readonly #shelf: PatchShelf;

  constructor(sql: Sql, shelf: PatchShelf) {
    this.#sql = sql;
    this.#shelf = shelf;
  }

  async read(id: string): Promise<BuildDetail> {
    const row = await this.#row(id);
    const [jobs, builder, same, patches] = await Promise.all([
      this.#jobs(id),
      this.#sql.one<{ id: string }>(
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
      run: { state: row.run_state, trigger: row.trigger },
      config: row.manifest?.config.name ?? row.spec.config ?? null,
      sources: row.spec.series?.map(sourceOf) ?? null,
      buildAttemptId: builder?.id ?? null,
      jobs,
      patches,
      missing: whyMissing(row, patches.filter(({ content }) => content === null).length),
      same,
    };
  }

  /** Text of the patch with this number, from 1. */
  async patch(id: string, number: number): Promise<string> {
    const row = await this.#row(id);
    return this.#text(row, number, carriedBy(row.spec));
  }

  /** Texts of all patches in the order applied; 404 when one is not stored. */
  async series(id: string): Promise<string[]> {
    const row = await this.#row(id);
    const carried = carriedBy(row.spec);
    const count = digestsOf(row, carried).length;
    const texts: string[] = [];
    for (let number = 1; number <= count; number += 1) texts.push(await this.#text(row, number, carried));
    return texts;
  }

  async #text(row: Row, number: number, carried: Carried): Promise<string> {
    const sha256 = digestsOf(row, carried)[number - 1];
    if (sha256 === undefined) throw notFound('patch', `${number} of build ${row.id}`);
    const text = (await this.#shelf.text(sha256)) ?? carried().get(sha256)?.toString('utf8');
    if (text !== undefined) return text;
    throw new ProblemError(404, 'no-patch-text', `the text of patch ${number} is not stored`, {
      detail: whyMissing(row, 1) ?? 'retention removed it a moment ago',
    });
  }

  async #row(id: string): Promise<Row> {
    const row = await this.#sql.one<Row>(
      `select b.id, b.name, b.run_id, r.name as run_name, r.state as run_state,
         r.trigger_kind || ', ' || r.trigger_detail as trigger, b.state, b.spec, b.error, b.created_at, b.bundle_key,
         u.manifest, u.sha256, a.size_bytes, a.removed_at
       from build b join run r on r.id = b.run_id
         left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256 where b.id = $1`,
      [id],
    );
    if (row === null) throw notFound('build', id);
    return row;
  }

  async #jobs(id: string): Promise<BuildJob[]> {
    const rows = await this.#sql.rows<Omit<BuildJob, 'attemptId'> & { attempt_id: string | null }>(
      `select j.id, j.machine, j.state, j.verdict,
         case when c.hash is not null
           then jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) end as combination,
         (select t.id from attempt t where t.job_id = j.id order by t.number desc limit 1) as attempt_id
       from job j left join combination c on c.hash = j.combination
       where j.build_id = $1 and j.kind = 'test' order by c.label, c.hash, j.machine, j.position`,
      [id],
    );
    return rows.map(({ attempt_id: attemptId, ...job }) => ({ ...job, attemptId }));
  }

  async #same(id: string, key: string | null): Promise<BuildDetail['same']> {
    if (key === null) return [];
    const rows = await this.#sql.rows<{ id: string; name: string; run_id: string; run_name: string; created_at: Date }>(
      `select b.id, b.name, b.run_id, r.name as run_name, b.created_at from build b join run r on r.id = b.run_id
       where b.bundle_key = $1 and b.id <> $2 order by b.created_at desc limit 10`,
      [key, id],
    );
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      runId: row.run_id,
      runName: row.run_name,
      createdAt: row.created_at.toISOString(),
    }));
  }

  async #patches(row: Row): Promise<PatchSummary[]> {
    const carried = carriedBy(row.spec);
    const named = row.manifest?.series ?? [...carried()].map(([sha256, text]) => ({ ...nameOf(text), sha256 }));
    return Promise.all(
      named.map(async ({ file, subject, sha256 }, index) => ({
        number: index + 1,
        file,
        subject,
        sha256,
        content: await this.#shelf.summary(sha256, carried),
      })),
    );
  }
}

/** The bundle's file as the API shows it. */
export function bundleOf(row: {
  sha256: string | null;
  size_bytes: number;
  removed_at: Date | null;
}): BuildDetail['bundle'] {
  if (row.sha256 === null) return null;
  return { sha256: row.sha256, sizeBytes: row.size_bytes, removedAt: row.removed_at?.toISOString() ?? null };
}

function sourceOf(source: SeriesSource): BuildSource {
  if (source === 'bundled') return { kind: 'bundled' };
  if ('mutant' in source) return { kind: 'mutant', name: source.mutant };
  if ('mbox' in source) return { kind: 'mbox', characters: source.mbox.length };
  return { kind: 'artifact', sha256: source.artifact };
}

/** Patches that the run itself carries as text, by digest. Megabytes at worst: taken apart when asked for, once. */
type Carried = () => ReadonlyMap<string, Buffer>;

function carriedBy(spec: BuildSpec): Carried {
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

function digestsOf(row: Row, carried: Carried): string[] {
  return row.manifest?.series.map(({ sha256 }) => sha256) ?? [...carried().keys()];
}

function nameOf(text: Buffer): { file: string; subject: string } {
  const { subject, files } = parsePatch(text.toString('utf8'), { lines: false });
  return { file: 'mbox', subject: subject ?? files[0]?.path ?? 'a patch without a subject' };
}

/** Why text of patches is not there, of which `lacking` have none; null when nothing is missing. */
function whyMissing({ manifest, spec, state }: Row, lacking: number): string | null {
  if (manifest === null) {
    if ((spec.series ?? []).every((source) => typeof source === 'object' && 'mbox' in source)) return null;
    return state === 'failed'
      ? 'It did not become a bundle, so only patches that the run carries as text are shown. The bundled series is ' +
          'kernel/patches of the farm, a mutant is a file in kernel/mutants.'
      : 'Patches that the run does not carry as text are shown once it is built.';
  }
  if (lacking === 0) return null;
  const what = `The text of ${lacking} of ${manifest.series.length} patches is not stored`;
  return spec.bundle === undefined
    ? `${what}: the kernel was built before agents kept it, or retention removed it. Retry the run: its build finds ` +
        'the kernel ready and adds the text.'
    : `${what}: the bundle was uploaded ready-made. Whoever has the patches may upload each as an artifact; they are ` +
        'found by their digest.';
}
