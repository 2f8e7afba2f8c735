import { Inject, Injectable } from '@nestjs/common';
import type { Identity } from '../platform/auth/token.service.js';
import { SETTINGS, SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { integer } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { ProblemError } from '../platform/http/problem.js';

/**
 * Uploads of one caller that this controller accepts at once. A builder uploads one file at a time for each of its
 * build slots. The daily limit is checked before an upload, so concurrent uploads can exceed it by this many files.
 */
const UPLOADS_AT_ONCE = 8;

/** How callers are named in `artifact.uploaded_by`. */
export const callerName = ({ kind, name }: Identity): string => `${kind} ${name}`;

/**
 * Which artifacts a caller may read and store. A user token is an administrator's: it may read everything.
 * An agent reads what its open attempts name, and stores files while it has an open attempt. With an open build it also reads
 * bundles that the farm built: it may be given the build of any of them, and builds drivers against them.
 */
@Injectable()
export class ArtifactAccess {
  readonly #sql: Sql;
  readonly #dayBytes: number;
  readonly #uploading = new Map<string, number>();

  constructor(sql: Sql, @Inject(SETTINGS_TOKEN) settings: Settings) {
    this.#sql = sql;
    this.#dayBytes = settings.uploadDayBytes;
  }

  /** Throws ProblemError 403, whether or not the artifact is stored, when the caller has no work that names it. */
  async requireRead({ kind, name }: Identity, sha256: string): Promise<void> {
    if (kind === 'user') return;
    const isNamed = await this.#sql.exists(
      `select 1 from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id
         join job_part part on part.job_id = j.id and part.position = p.position
         join build b on b.id = part.build_id
         left join bundle u on u.key = b.bundle_key
       where p.agent = $1 and p.state <> 'ended'
         and case j.kind when 'test' then u.sha256 = $2
           or b.drivers @> jsonb_build_array(jsonb_build_object('archive', jsonb_build_object('sha256', $2::text))) or exists (
             select 1 from run r, jsonb_array_elements(coalesce(r.spec -> 'ownSuites', '[]')) s
             where r.id = j.run_id and coalesce(s -> 'files', '[]') @> jsonb_build_array(jsonb_build_object('artifact', $2::text)))
           else $2 in (b.spec ->> 'tarball', b.spec ->> 'configFile')
             or coalesce(b.spec -> 'series', '[]') @> jsonb_build_array(jsonb_build_object('artifact', $2::text))
             or exists (select 1 from bundle o where o.sha256 = $2 and o.origin = 'build') end
       limit 1`,
      [name, sha256],
    );
    if (isNamed) return;
    throw new ProblemError(403, 'not-your-work', `agent "${name}" has no open work that names this artifact`, {
      detail:
        'an agent may download the bundle, the drivers and the files of a test, or the series, the tarball and the configuration of a build and kernels to build drivers against, only while it has that work',
    });
  }

  /** Whether the caller is a user, or an agent with an open attempt: suites of a test leave files. */
  async #hasWork({ kind, name }: Identity): Promise<boolean> {
    if (kind === 'user') return true;
    return this.#sql.exists(
      `select 1 from participant p join attempt t on t.id = p.attempt_id
       where p.agent = $1 and p.state <> 'ended' limit 1`,
      [name],
    );
  }

  /** Whether the caller is a user, or an agent with an open build. */
  async mayBuild({ kind, name }: Identity): Promise<boolean> {
    if (kind === 'user') return true;
    return this.#sql.exists(
      `select 1 from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id
       where p.agent = $1 and p.state <> 'ended' and j.kind = 'build' limit 1`,
      [name],
    );
  }

  /**
   * Runs an upload within the caller's limits. Throws ProblemError 403 for an agent without open work,
   * 429 when too many uploads of the caller are under way or it stored too much within a day.
   * @param announcedBytes what the request says it will send; null when it does not say
   */
  async upload<T>(caller: Identity, announcedBytes: number | null, store: () => Promise<T>): Promise<T> {
    if (!(await this.#hasWork(caller))) {
      throw new ProblemError(403, 'no-open-build', `agent "${caller.name}" has no open work`, {
        detail: 'an agent may upload artifacts only while it has a build or a test',
      });
    }
    const name = callerName(caller);
    const running = this.#uploading.get(name) ?? 0;
    if (running >= UPLOADS_AT_ONCE) {
      throw new ProblemError(429, 'too-many-uploads', `${UPLOADS_AT_ONCE} uploads of "${caller.name}" are under way`, {
        detail: 'send the next file after one of them has finished',
      });
    }
    this.#uploading.set(name, running + 1);
    try {
      await this.#requireRoom(caller, announcedBytes ?? 0);
      return await store();
    } finally {
      const left = (this.#uploading.get(name) ?? 1) - 1;
      if (left === 0) this.#uploading.delete(name);
      else this.#uploading.set(name, left);
    }
  }

  async #requireRoom(caller: Identity, bytes: number): Promise<void> {
    const stored = await this.#sql.one(
      { bytes: integer },
      `select coalesce(sum(size_bytes), 0)::bigint as bytes from artifact
       where uploaded_by = $1 and created_at > clock_timestamp() - interval '1 day'`,
      [callerName(caller)],
    );
    if ((stored?.bytes ?? 0) + bytes <= this.#dayBytes) return;
    throw new ProblemError(429, 'upload-limit', `"${caller.name}" stored ${stored?.bytes ?? 0} bytes within a day`, {
      detail: `the limit is ${this.#dayBytes} bytes a day; wait, or raise ${SETTINGS.uploadDayBytes.env}`,
    });
  }
}
