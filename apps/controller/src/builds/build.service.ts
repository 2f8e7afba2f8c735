import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { BuildError, BuildSpec, BuildView, BundleManifest, RouteName, AnswerOf } from '@peerlab/contracts';
import { Repository } from 'typeorm';
import { jsonb } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { ArtifactStore } from './artifact-store.js';
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
    await this.#sql.run('insert into artifact (sha256, size_bytes) values ($1, $2) on conflict do nothing', [
      sha256,
      sizeBytes,
    ]);
    return { sha256, sizeBytes };
  }

  async openArtifact(sha256: string): Promise<{ content: Readable; sizeBytes: number }> {
    const found = await this.#store.get(sha256);
    if (found === null) throw notFound('artifact', sha256);
    return found;
  }

  hasArtifact(sha256: string): Promise<boolean> {
    return this.#artifacts.existsBy({ sha256 });
  }

  findBundle(key: string): Promise<Bundle | null> {
    return this.#bundles.findOneBy({ key });
  }

  /** A stored bundle by its content key, with the artifact's size. */
  async describeBundle(key: string): Promise<Answer<'findBundle'>> {
    const bundle = await this.findBundle(key);
    const artifact = bundle === null ? null : await this.#artifacts.findOneBy({ sha256: bundle.sha256 });
    if (bundle === null || artifact === null) throw notFound('bundle', key);
    return {
      manifest: bundle.manifest,
      bundle: { sha256: bundle.sha256, sizeBytes: artifact.sizeBytes },
    };
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
    if ((await tx.one('select 1 from artifact where sha256 = $1', [sha256])) === null) return false;
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

  /** The newest builds first. */
  async listBuilds(limit = 200): Promise<BuildView[]> {
    const rows = await this.#sql.rows<
      Pick<Build, 'id' | 'name' | 'state' | 'error'> & {
        run_id: string;
        created_at: Date;
        manifest: BundleManifest | null;
        sha256: string | null;
        size_bytes: number;
      }
    >(
      `select b.id, b.name, b.run_id, b.state, b.error, b.created_at, u.manifest, u.sha256, a.size_bytes
       from build b left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256
       order by b.created_at desc, b.position limit $1`,
      [limit],
    );
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      runId: row.run_id,
      state: row.state,
      manifest: row.manifest,
      bundle: row.sha256 === null ? null : { sha256: row.sha256, sizeBytes: row.size_bytes },
      error: row.error,
      createdAt: row.created_at.toISOString(),
    }));
  }
}

async function storeBundle(queries: Queries, manifest: BundleManifest, sha256: string): Promise<void> {
  await queries.run('insert into bundle (key, sha256, manifest) values ($1, $2, $3) on conflict (key) do nothing', [
    manifest.key,
    sha256,
    jsonb(manifest),
  ]);
}

const missingArtifact = (sha256: string): ProblemError =>
  new ProblemError(422, 'no-artifact', 'the bundle was not uploaded', {
    errors: [
      { path: 'sha256', message: `no artifact ${sha256} is stored`, remedy: 'PUT it to /api/v1/artifacts first' },
    ],
  });
