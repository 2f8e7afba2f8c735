import { Inject, Injectable } from '@nestjs/common';
import { CHANGED_FILES_MAX, sourcePage, type SourceHosts, type SourceLinks } from '@peerlab/contracts';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { columnsOf, nullable, pick, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Build, Bundle } from '../schema/builds.js';
import { Run } from '../schema/runs.js';
import { carriedBy } from './build-detail.js';
import { PatchStore } from './patch-store.js';

const SOURCE = {
  ...pick(columnsOf(Build), 'spec', 'commit'),
  manifest: nullable(columnsOf(Bundle).manifest),
  run_spec: columnsOf(Run).spec,
};
const SELFTESTS = 'tools/testing/selftests';

/** Says how lines of a build's tree are found on the web, and which are not. */
@Injectable()
export class SourceLinksView {
  readonly #sql: Sql;
  readonly #patches: PatchStore;
  readonly #hosts: SourceHosts;

  constructor(sql: Sql, patches: PatchStore, @Inject(SETTINGS_TOKEN) settings: Settings) {
    this.#sql = sql;
    this.#patches = patches;
    this.#hosts = settings.sourceHosts;
  }

  /** Throws a 404 problem when there is no such build. */
  async of(id: string): Promise<SourceLinks> {
    const row = await this.#sql.one(
      SOURCE,
      `select b.spec, b.commit, u.manifest, r.spec as run_spec from build b join run r on r.id = b.run_id
         left join bundle u on u.key = b.bundle_key where b.id = $1`,
      [id],
    );
    if (row === null) throw notFound('build', id);
    const { git } = row.spec;
    const selftests = (row.run_spec.ownSuites ?? []).flatMap(({ name, kselftest }) =>
      kselftest === undefined ? [] : [[name, `${SELFTESTS}/${kselftest}`] as const],
    );
    const none = (why: string): SourceLinks => ({ page: null, why, changed: [], folders: {} });
    if (git === undefined) return none('it was not built from a git repository');
    const page = sourcePage({ ...git, commit: row.commit }, this.#hosts);
    if (page === null) {
      return none(row.commit === null ? 'its commit is not known' : `the host of ${git.url} is not among sourceHosts`);
    }
    const changed = await this.#changed(row);
    if (changed === null) return none('which lines the series on top moves is not known: a patch of it is not stored');
    return { page, why: null, changed, folders: Object.fromEntries(selftests) };
  }

  /** Files that the series changes; null when that is not known. */
  async #changed({ spec, manifest }: Pick<RowOf<typeof SOURCE>, 'spec' | 'manifest'>): Promise<string[] | null> {
    const carried = carriedBy(spec);
    if (manifest === null && (spec.series ?? []).some((each) => typeof each !== 'object' || !('mbox' in each)))
      return null;
    const digests = manifest?.series.map(({ sha256 }) => sha256) ?? [...carried().keys()];
    const files = new Set<string>();
    for (const sha256 of digests) {
      const summary = await this.#patches.summary(sha256, carried);
      if (summary === null) return null;
      for (const { path } of summary.files) files.add(path);
      if (files.size > CHANGED_FILES_MAX) return null;
    }
    return [...files];
  }
}
