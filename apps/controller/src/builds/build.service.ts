import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import {
  canonicalJson,
  type AnswerOf,
  type BuildError,
  type BuildSpec,
  type BuildSummary,
  type BundleManifest,
  type DriverBuild,
  type ManifestSummary,
  type RouteName,
} from '@peerlab/contracts';
import { IsNull, Repository } from 'typeorm';
import { jsonb } from '../platform/database/storable.js';
import { columnsOf, json, nullable, pick, text } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { timeCursorSql } from '../platform/database/time-cursor.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import type { InputOf } from '../platform/http/serve.js';
import { Artifact, Build, Bundle } from '../schema/builds.js';
import { Run } from '../schema/runs.js';
import { ArtifactStore } from './artifact-store.js';
import { BUNDLE_FILE, bundleOf } from './build-detail.js';
import { inputsOf, sizeOf } from './build-inputs.js';
import { holdArtifact, holdArtifacts, holdDrivers, requireBundles, withHeldArchive } from './held-files.js';
import { storeBuilt, storeUploaded } from './bundle-store.js';
import { readTarManifest } from './tar-manifest.js';

const BUILD_SUMMARY = {
  ...pick(columnsOf(Build), 'id', 'name', 'run_id', 'state', 'error', 'created_at'),
  cursor: text,
  run_name: columnsOf(Run).name,
  manifest: nullable(json<ManifestSummary>()),
  ...BUNDLE_FILE,
};

/**
 * The drivers of a kernel that was built before, for a build that names its bundle: those of the newest build whose archives are
 * all still stored, and that has an archive of each, where there is one: an error may have been the builder's trouble of that day.
 */
const DRIVERS_OF_BUNDLE = `(select o.drivers from build o
   where o.bundle_key = n.spec ->> 'bundle' and o.drivers <> '[]' and not exists (
     select 1 from jsonb_array_elements(o.drivers) d join artifact a on a.sha256 = d #>> '{archive,sha256}'
     where a.removed_at is not null)
   order by jsonb_path_exists(o.drivers, '$[*] ? (@.archive == null)'), o.created_at desc limit 1)`;

/** A build of a run to be stored. */
export interface NewBuild {
  id: string;
  position: number;
  spec: BuildSpec;
}

type Answer<N extends RouteName> = AnswerOf<N>;

/** Kernel builds of runs, their bundles, and the artifacts that hold the bundles. */
@Injectable()
export class BuildService {
  readonly #sql: Sql;
  readonly #store: ArtifactStore;
  readonly #artifacts: Repository<Artifact>;
  readonly #bundles: Repository<Bundle>;

  constructor(
    sql: Sql,
    store: ArtifactStore,
    @InjectRepository(Artifact) artifacts: Repository<Artifact>,
    @InjectRepository(Bundle) bundles: Repository<Bundle>,
  ) {
    this.#sql = sql;
    this.#store = store;
    this.#artifacts = artifacts;
    this.#bundles = bundles;
  }

  /**
   * Stores an upload. The row is written after the file, so that every row has its file.
   * @param uploader the sender, as callerName() of artifact-access.ts names it
   */
  async storeArtifact(
    sha256: string,
    content: Readable,
    uploader: string,
  ): Promise<{ sha256: string; sizeBytes: number }> {
    const sizeBytes = await this.#store.put(sha256, content);
    // Uploaded again after retention removed it: its age counts from now.
    await this.#sql.run(
      `insert into artifact (sha256, size_bytes, uploaded_by) values ($1, $2, $3) on conflict (sha256) do update
       set created_at = clock_timestamp(), removed_at = null, uploaded_by = excluded.uploaded_by
       where artifact.removed_at is not null`,
      [sha256, sizeBytes, uploader],
    );
    if (!(await this.#store.has(sha256))) {
      throw new ProblemError(409, 'artifact-removed', `retention removed the artifact ${sha256} during the upload`, {
        detail: 'upload it again',
      });
    }
    return { sha256, sizeBytes };
  }

  async openArtifact(sha256: string): Promise<{ content: Readable; sizeBytes: number }> {
    const found = await this.#store.get(sha256);
    if (found === null) throw notFound('artifact', sha256);
    return found;
  }

  /** A file that a suite of an attempt left. Throws ProblemError 404, or 410 when retention removed it. */
  async openLeftFile(attempt: string, suite: string, name: string): Promise<{ content: Readable; sizeBytes: number }> {
    const row = await this.#sql.one(
      { ...pick(columnsOf(Artifact), 'sha256', 'removed_at') },
      `select a.sha256, a.removed_at from attempt_file f join artifact a on a.sha256 = f.sha256
       where f.attempt_id = $1 and f.suite = $2 and f.name = $3`,
      [attempt, suite, name],
    );
    if (row === null) throw notFound('file of the attempt', name);
    if (row.removed_at === null) return this.openArtifact(row.sha256);
    throw new ProblemError(410, 'file-removed', `retention removed this file at ${row.removed_at.toISOString()}`, {
      detail: 'pin a run to keep its files',
    });
  }

  hasArtifact(sha256: string): Promise<boolean> {
    return this.#artifacts.existsBy({ sha256, removedAt: IsNull() });
  }

  /** A bundle whose file is stored; null when retention removed the file, so that it has to be built again. */
  async findBundle(key: string): Promise<Bundle | null> {
    const bundle = await this.#bundles.findOneBy({ key });
    return bundle !== null && (await this.hasArtifact(bundle.sha256)) ? bundle : null;
  }

  /** A stored bundle by its key, with the artifact's size; `builtOnly` hides bundles that users registered. */
  async describeBundle(key: string, builtOnly: boolean): Promise<Answer<'findBundle'>> {
    const bundle = await this.findBundle(key);
    const artifact = bundle === null ? null : await this.#artifacts.findOneBy({ sha256: bundle.sha256 });
    if (bundle === null || artifact === null) throw notFound('bundle', key);
    if (builtOnly && bundle.origin !== 'build') throw notFound('bundle', key);
    return {
      // Shown under the key that runs name it by.
      manifest: { ...bundle.manifest, key: bundle.key },
      bundle: { sha256: bundle.sha256, sizeBytes: artifact.sizeBytes },
      missingPatches: await this.#missingPatches(bundle.manifest),
    };
  }

  /** Digests of the series' patches that are not stored as artifacts, without duplicates. */
  async #missingPatches({ series }: BundleManifest): Promise<string[]> {
    const rows = await this.#sql.rows(
      { sha256: text },
      `select distinct d as sha256 from unnest($1::text[]) d
       where not exists (select 1 from artifact a where a.sha256 = d and a.removed_at is null)`,
      [series.map(({ sha256 }) => sha256)],
    );
    return rows.map(({ sha256 }) => sha256);
  }

  /**
   * Registers an uploaded bundle; returns the key that runs name it by. Throws ProblemError 422 when the
   * manifest is not the one in the tar, 409 when another bundle has its key.
   */
  async registerBundle(manifest: BundleManifest, sha256: string, user: string): Promise<string> {
    if (!(await this.hasArtifact(sha256))) throw missingArtifact(sha256);
    const packed = await readTarManifest(this.#store.pathOf(sha256));
    if ('problem' in packed) throw badBundle(packed.problem);
    if (canonicalJson(packed.manifest) !== canonicalJson(manifest)) {
      throw badBundle('the manifest that was sent is not the manifest.json in the tar');
    }
    return this.#sql.transaction(async (tx) => {
      if (!(await holdArtifact(tx, sha256))) throw missingArtifact(sha256);
      return storeUploaded(tx, manifest, sha256, user);
    });
  }

  /**
   * Stores the builds of a run; those that name a stored bundle are ready at once. Throws ProblemError 422.
   * @param submitter of the run: id of the user's token, or null
   * @param artifacts digests of the uploaded files that the run names
   */
  async addBuilds(
    tx: Queries,
    runId: string,
    builds: readonly NewBuild[],
    submitter: string | null,
    artifacts: readonly string[],
  ): Promise<void> {
    const keys = [...new Set(builds.flatMap(({ spec: { bundle } }) => (bundle === undefined ? [] : [bundle])))];
    await holdArtifacts(tx, artifacts);
    await holdDrivers(tx, keys);
    await tx.run(
      `insert into build (id, run_id, position, name, spec, state, bundle_key, inputs, size, drivers)
       select n.id, $1, n.position, n.spec ->> 'name', n.spec,
         case when n.spec ->> 'bundle' is null then 'pending' else 'ready' end, n.spec ->> 'bundle', n.inputs, n.size, coalesce(${DRIVERS_OF_BUNDLE}, '[]')
       from jsonb_to_recordset($2) as n(id uuid, position int, spec jsonb, inputs text, size text)`,
      [
        runId,
        jsonb(builds.map((build) => ({ ...build, inputs: inputsOf(build.spec, submitter), size: sizeOf(build.spec) }))),
      ],
    );
    // The insert locks the bundles' rows, so retention cannot remove their files after this check.
    await requireBundles(tx, keys);
  }

  /** pending → building, without the error of an earlier attempt. */
  async begin(tx: Queries, id: string): Promise<void> {
    await tx.run(`update build set state = 'building', error = null where id = $1 and state = 'pending'`, [id]);
  }

  /** Stores the error of a build, for people; its state does not change. */
  async setError(tx: Queries, id: string, error: BuildError): Promise<void> {
    await tx.run('update build set error = $2 where id = $1', [id, jsonb(error)]);
  }

  /**
   * Stores what the git source of a build was found to be, the first time. Builds of the same run from the same ref get the
   * same commit, so that a branch that moves meanwhile makes no difference between them.
   */
  async setCommit(tx: Queries, id: string, commit: string): Promise<void> {
    await tx.run(
      `update build set commit = $2 where commit is null and id in (
         select o.id from build b join build o on o.run_id = b.run_id and o.spec -> 'git' = b.spec -> 'git'
         where b.id = $1 order by o.id for update of o)`,
      [id, commit],
    );
  }

  /** What the git sources of a run's builds were found to be, by the builds' names. */
  async commitsOf(runId: string): Promise<Map<string, string>> {
    const rows = await this.#sql.rows(
      { name: columnsOf(Build).name, commit: text },
      'select name, commit from build where run_id = $1 and commit is not null',
      [runId],
    );
    return new Map(rows.map(({ name, commit }) => [name, commit]));
  }

  /** Moves a build between `pending` and `building`; a finished build does not change. */
  async markBuilding(tx: Queries, id: string, building: boolean): Promise<void> {
    await tx.run(`update build set state = $2 where id = $1 and state in ('pending', 'building')`, [
      id,
      building ? 'building' : 'pending',
    ]);
  }

  /**
   * Stores the result of a build; a build that is ready already does not change.
   * @returns why its bundle was refused, or null
   */
  async markReady(
    tx: Queries,
    id: string,
    {
      manifest,
      bundle,
      recipe,
      drivers = [],
    }: {
      manifest: BundleManifest;
      bundle: { sha256: string; sizeBytes: number };
      recipe?: string | undefined;
      drivers?: DriverBuild[] | undefined;
    },
    agent: string,
  ): Promise<string | null> {
    if (!(await tx.exists(`select 1 from build where id = $1 and state <> 'ready' for update`, [id]))) return null;
    const stored = await holdArtifact(tx, bundle.sha256);
    if (stored === null) return 'the build succeeded, but its bundle was not uploaded';
    if (stored.size_bytes !== bundle.sizeBytes) {
      return `the bundle has ${stored.size_bytes} bytes, but its agent reported ${bundle.sizeBytes}`;
    }
    const kept: DriverBuild[] = [];
    for (const driver of drivers) kept.push(await withHeldArchive(tx, driver));
    const problem = await storeBuilt(tx, manifest, bundle.sha256, agent);
    if (problem !== null) return problem;
    await tx.run(
      `update build set state = 'ready', bundle_key = $2, recipe = $3, drivers = $4, error = null where id = $1`,
      [id, manifest.key, recipe ?? null, jsonb(kept)],
    );
    return null;
  }

  async markFailed(tx: Queries, id: string, error: BuildError | null): Promise<void> {
    await tx.run(`update build set state = 'failed', error = coalesce($2, error) where id = $1 and state <> 'ready'`, [
      id,
      jsonb(error),
    ]);
  }

  /** Locks all builds of a run. */
  async lockOfRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('select 1 from build where run_id = $1 order by id for update', [runId]);
  }

  /** Removes the builds of a run. Its jobs must have been removed before; bundles stay. */
  async removeOfRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('delete from build where run_id = $1', [runId]);
  }

  /** Marks an artifact before retention deletes its file; the row stays for the runs that name it. */
  async markArtifactRemoved(tx: Queries, sha256: string): Promise<void> {
    await tx.run('update artifact set removed_at = clock_timestamp() where sha256 = $1', [sha256]);
  }

  /** Builds, the newest first; with `before` those after that place in the list. */
  async listBuilds({ before, limit, buildId }: InputOf<'listBuilds'>['query']): Promise<BuildSummary[]> {
    const rows = await this.#sql.rows(
      BUILD_SUMMARY,
      `select b.id, ${timeCursorSql('b.created_at', 'b.id')} as cursor, b.name, b.run_id, r.name as run_name, b.state, b.error, b.created_at, a.sha256, a.size_bytes,
         a.removed_at, case when u.key is not null then jsonb_build_object('key', u.key, 'release', m.release,
           'buildId', m."buildId", 'config', m.config, 'features', m.features,
           'patches', jsonb_array_length(m.series)) end as manifest
       from build b join run r on r.id = b.run_id
         left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256
         -- A manifest names every test and file: it is unpacked once a row, not once a field.
         left join lateral jsonb_to_record(u.manifest)
           as m(release text, "buildId" text, config jsonb, features jsonb, series jsonb) on true
       where ($2::timestamptz is null or (b.created_at, b.id) < ($2, $3::uuid))
         and ($4::text is null or starts_with(m."buildId", $4))
       order by b.created_at desc, b.id desc limit $1`,
      [limit, before?.at ?? null, before?.id ?? null, buildId ?? null],
    );
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      runId: row.run_id,
      runName: row.run_name,
      state: row.state,
      manifest: row.manifest,
      bundle: bundleOf(row),
      error: row.error,
      createdAt: row.created_at.toISOString(),
      cursor: row.cursor,
    }));
  }
}

const badBundle = (problem: string): ProblemError =>
  new ProblemError(422, 'bad-bundle', 'the artifact is not the bundle that its manifest describes', {
    detail: problem,
    errors: [{ path: 'manifest', message: problem, remedy: 'register the manifest.json that is in the tar' }],
  });

const missingArtifact = (sha256: string): ProblemError =>
  new ProblemError(422, 'no-artifact', 'the bundle was not uploaded', {
    errors: [
      { path: 'sha256', message: `no artifact ${sha256} is stored`, remedy: 'PUT it to /api/v1/artifacts first' },
    ],
  });
