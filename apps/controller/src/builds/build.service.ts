import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type {
  AnswerOf,
  BuildError,
  BuildSpec,
  BuildSummary,
  BundleManifest,
  ManifestSummary,
  RouteName,
} from '@peerlab/contracts';
import { IsNull, Repository } from 'typeorm';
import { jsonb } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { ArtifactStore } from './artifact-store.js';
import { bundleOf } from './build-detail.js';
import { Artifact, Bundle, type Build, type BuildState } from './entities.js';

type Answer<N extends RouteName> = AnswerOf<N>;

/** Kernel builds of runs, the bundles they became, and the files behind them. */
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

  /** Stores an upload; the row is written after the file, so a row always has its file. */
  async storeArtifact(sha256: string, content: Readable): Promise<{ sha256: string; sizeBytes: number }> {
    const sizeBytes = await this.#store.put(sha256, content);
    // Uploaded again after retention removed it: it counts from now on.
    await this.#sql.run(
      `insert into artifact (sha256, size_bytes) values ($1, $2) on conflict (sha256) do update
       set created_at = clock_timestamp(), removed_at = null where artifact.removed_at is not null`,
      [sha256, sizeBytes],
    );
    if (!(await this.#store.has(sha256))) {
      throw new ProblemError(409, 'artifact-removed', 'retention removed an older copy at this moment', {
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

  hasArtifact(sha256: string): Promise<boolean> {
    return this.#artifacts.existsBy({ sha256, removedAt: IsNull() });
  }

  /** A bundle whose file is there; one that retention removed has to be built again. */
  async findBundle(key: string): Promise<Bundle | null> {
    const bundle = await this.#bundles.findOneBy({ key });
    return bundle !== null && (await this.hasArtifact(bundle.sha256)) ? bundle : null;
  }

  /** A stored bundle by its content key, with the artifact's size. */
  async describeBundle(key: string): Promise<Answer<'findBundle'>> {
    const bundle = await this.findBundle(key);
    const artifact = bundle === null ? null : await this.#artifacts.findOneBy({ sha256: bundle.sha256 });
    if (bundle === null || artifact === null) throw notFound('bundle', key);
    return {
      manifest: bundle.manifest,
      bundle: { sha256: bundle.sha256, sizeBytes: artifact.sizeBytes },
      missingPatches: await this.#missingPatches(bundle.manifest),
    };
  }

  /** Digests of the series' patches that no stored artifact has, each once. */
  async #missingPatches({ series }: BundleManifest): Promise<string[]> {
    const rows = await this.#sql.rows<{ sha256: string }>(
      `select distinct d as sha256 from unnest($1::text[]) d
       where not exists (select 1 from artifact a where a.sha256 = d and a.removed_at is null)`,
      [series.map(({ sha256 }) => sha256)],
    );
    return rows.map(({ sha256 }) => sha256);
  }

  /** Makes an uploaded bundle known under its key. A key that is known already stays as it is. */
  async registerBundle(manifest: BundleManifest, sha256: string): Promise<void> {
    if (!(await this.hasArtifact(sha256))) throw missingArtifact(sha256);
    await storeBundle(this.#sql, manifest, sha256);
  }

  /** Adds a run's build; ready at once when it names a stored bundle. */
  async addBuild(
    tx: Queries,
    build: { id: string; runId: string; position: number; spec: BuildSpec; bundleKey: string | null },
  ): Promise<void> {
    const { id, runId, position, spec, bundleKey } = build;
    const state: BuildState = bundleKey === null ? 'pending' : 'ready';
    await tx.run(
      `insert into build (id, run_id, position, name, spec, state, bundle_key) values ($1, $2, $3, $4, $5, $6, $7)`,
      [id, runId, position, spec.name, jsonb(spec), state, bundleKey],
    );
    // The insert holds the bundle's row against retention: what is there now stays.
    if (bundleKey !== null) await requireFile(tx, bundleKey);
  }

  /** Moves a build between waiting and being built; a settled one stays. */
  async markBuilding(tx: Queries, id: string, building: boolean): Promise<void> {
    await tx.run(`update build set state = $2 where id = $1 and state in ('pending', 'building')`, [
      id,
      building ? 'building' : 'pending',
    ]);
  }

  /** A build came out; false when its upload is not here. */
  async markReady(tx: Queries, id: string, manifest: BundleManifest, sha256: string): Promise<boolean> {
    const isStored = 'select 1 from artifact where sha256 = $1 and removed_at is null for share';
    if ((await tx.one(isStored, [sha256])) === null) return false;
    await storeBundle(tx, manifest, sha256);
    await tx.run(`update build set state = 'ready', bundle_key = $2, error = null where id = $1`, [id, manifest.key]);
    return true;
  }

  async markFailed(tx: Queries, id: string, error: BuildError | null): Promise<void> {
    await tx.run(`update build set state = 'failed', error = coalesce($2, error) where id = $1 and state <> 'ready'`, [
      id,
      jsonb(error),
    ]);
  }

  /** Builds from the newest on; with `before` those that are older than that build. */
  async listBuilds({ before, limit }: { before?: string | undefined; limit: number }): Promise<BuildSummary[]> {
    const rows = await this.#sql.rows<
      Pick<Build, 'id' | 'name' | 'state' | 'error'> & {
        run_id: string;
        run_name: string;
        created_at: Date;
        manifest: ManifestSummary | null;
        sha256: string | null;
        size_bytes: number;
        removed_at: Date | null;
      }
    >(
      `select b.id, b.name, b.run_id, r.name as run_name, b.state, b.error, b.created_at, a.sha256, a.size_bytes,
         a.removed_at, case when u.key is not null then jsonb_build_object('key', u.key, 'release', m.release,
           'buildId', m."buildId", 'config', m.config, 'features', m.features,
           'patches', jsonb_array_length(m.series)) end as manifest
       from build b join run r on r.id = b.run_id
         left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256
         -- A manifest names every test and file: it is unpacked once a row, not once a field.
         left join lateral jsonb_to_record(u.manifest)
           as m(release text, "buildId" text, config jsonb, features jsonb, series jsonb) on true
       where $2::uuid is null or (b.created_at, b.id) < (select created_at, id from build where id = $2)
       order by b.created_at desc, b.id desc limit $1`,
      [limit, before ?? null],
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
    }));
  }
}

async function storeBundle(queries: Queries, manifest: BundleManifest, sha256: string): Promise<void> {
  // Of two uploads with one key the first stays, as long as its file is there.
  await queries.run(
    `insert into bundle (key, sha256, manifest) values ($1, $2, $3) on conflict (key) do update
     set sha256 = excluded.sha256, manifest = excluded.manifest
     where not exists (select 1 from artifact a where a.sha256 = bundle.sha256 and a.removed_at is not null)`,
    [manifest.key, sha256, jsonb(manifest)],
  );
}

async function requireFile(queries: Queries, key: string): Promise<void> {
  const stored = await queries.one(
    'select 1 from bundle u join artifact a on a.sha256 = u.sha256 where u.key = $1 and a.removed_at is null',
    [key],
  );
  if (stored !== null) return;
  throw new ProblemError(422, 'bundle-removed', `the bundle ${key} was removed`, {
    detail: 'retention removed its file a moment ago; build it again',
  });
}

const missingArtifact = (sha256: string): ProblemError =>
  new ProblemError(422, 'no-artifact', 'the bundle was not uploaded', {
    errors: [
      { path: 'sha256', message: `no artifact ${sha256} is stored`, remedy: 'PUT it to /api/v1/artifacts first' },
    ],
  });
