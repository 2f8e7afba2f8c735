import { Injectable } from '@nestjs/common';
import { COVERAGE_ATTEMPTS_MAX, FARM_SUITE, type BuildCoverage, type BundleManifest } from '@peerlab/contracts';
import { ArtifactStore } from '../builds/artifact-store.js';
import { bool, columnsOf, nullable, pick, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Participant } from '../schema/attempts.js';
import { Artifact, Build, Bundle } from '../schema/builds.js';

const BUILD = {
  ...pick(columnsOf(Build), 'id', 'name'),
  manifest: nullable(columnsOf(Bundle).manifest),
};
const FOUND = {
  ...pick(columnsOf(Participant), 'attempt_id', 'role', 'machine'),
  proven: bool,
  revoked: bool,
  sha256: nullable(columnsOf(Artifact).sha256),
  removed: bool,
};
type FoundRow = RowOf<typeof FOUND>;

/** Which attempt. */
type Place = Pick<BuildCoverage['attempts'][number], 'attemptId' | 'role' | 'machine'>;

/** What ended attempts of a build found out, the newest first, and which of them count for nothing. */
export interface Found<T> {
  found: (Place & { value: T })[];
  without: (Place & { why: string })[];
  isCut: boolean;
}

/** Reads the files in which attempts of a build say what they found out about the series' lines. */
@Injectable()
export class FoundByAttempts {
  readonly #sql: Sql;
  readonly #artifacts: ArtifactStore;

  constructor(sql: Sql, artifacts: ArtifactStore) {
    this.#sql = sql;
    this.#artifacts = artifacts;
  }

  /** Throws a 404 problem when there is no such build. `manifest`: null before it is built. */
  async build(id: string): Promise<{ id: string; name: string; manifest: BundleManifest | null }> {
    const build = await this.#sql.one(
      BUILD,
      'select b.id, b.name, u.manifest from build b left join bundle u on u.key = b.bundle_key where b.id = $1',
      [id],
    );
    if (build === null) throw notFound('build', id);
    return build;
  }

  /**
   * Only attempts whose machine was proven to run this very kernel, and that were not taken from their agent, count.
   * @param file of the farm's own suite
   * @param parse null or a throw = it is not what it should be
   */
  async read<T>(
    build: string,
    buildId: string,
    file: { name: string; maxBytes: number; parse: (json: unknown) => T },
  ): Promise<Found<T>> {
    const rows = await this.#sql.rows(
      FOUND,
      `select p.attempt_id, p.role, p.machine, p.revoked_at is not null as revoked,
         exists (select 1 from attempt_kernel k where k.participant_id = p.id and k.sighting ->> 'phase' = 'candidate'
           and k.sighting ->> 'proven' = 'true' and k.sighting ->> 'buildId' = $2) as proven,
         a.sha256, a.removed_at is not null as removed
       from job_part part join job j on j.id = part.job_id join attempt t on t.job_id = j.id
         join participant p on p.attempt_id = t.id and p.position = part.position
         left join attempt_file f on f.attempt_id = t.id and f.role = p.role and f.suite = $3 and f.name = $4
         left join artifact a on a.sha256 = f.sha256
       where part.build_id = $1 and j.kind = 'test' and p.state = 'ended'
       order by p.started_at desc, p.id limit $5`,
      [build, buildId, FARM_SUITE, file.name, COVERAGE_ATTEMPTS_MAX + 1],
    );
    const result: Found<T> = { found: [], without: [], isCut: rows.length > COVERAGE_ATTEMPTS_MAX };
    for (const row of rows.slice(0, COVERAGE_ATTEMPTS_MAX)) {
      const place = { attemptId: row.attempt_id, role: row.role, machine: row.machine };
      const why = whyNot(row);
      const text = why === null && row.sha256 !== null ? await this.#textOf(row.sha256, file.maxBytes) : null;
      const parsed = text === null ? null : parsedOr(text, file.parse);
      if (parsed !== null) result.found.push({ ...place, value: parsed.value });
      else result.without.push({ ...place, why: why ?? `its ${file.name} cannot be read` });
    }
    return result;
  }

  async #textOf(sha256: string, maxBytes: number): Promise<string | null> {
    const opened = await this.#artifacts.open(sha256);
    if (opened === null) return null;
    try {
      return opened.sizeBytes > maxBytes ? null : await opened.file.readFile('utf8');
    } finally {
      await opened.file.close();
    }
  }
}

function whyNot({ proven, revoked, sha256, removed }: FoundRow): string | null {
  if (!proven) return 'this kernel was not proven to run';
  if (revoked) return 'the attempt was taken from its agent';
  if (sha256 === null) return 'it did not bring in what it found; its log says why';
  return removed ? 'retention removed what it found' : null;
}

function parsedOr<T>(text: string, parse: (json: unknown) => T): { value: T } | null {
  try {
    return { value: parse(JSON.parse(text)) };
  } catch {
    return null;
  }
}
