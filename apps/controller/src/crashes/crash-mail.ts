import { Injectable } from '@nestjs/common';
import {
  plainText,
  recordLines,
  type BuiltGit,
  type CallPlace,
  type CrashMail,
  type LogLine,
} from '@peerlab/contracts';
import { LogService } from '../logs/log.service.js';
import { BUILT_GIT } from '../platform/database/built-git.js';
import { columnsOf, json, nullable, text } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Bundle } from '../schema/builds.js';
import { CALL_SOURCES } from './call-sources.js';
import { CrashDetailView } from './crash-detail.js';
import { mailText } from './mail-text.js';
import { SEEN, SIGHTING, SIGHTING_COLUMNS } from './sightings.js';

/** Lines of a report that a mail quotes: one with all held locks and stacks of all tasks would be refused by lists. */
const LINES_MAX = 400;

const OWN = {
  ...SIGHTING,
  combination: nullable(text),
  hardware: nullable(text),
  manifest: nullable(columnsOf(Bundle).manifest),
  git: nullable(json<BuiltGit>()),
  sources: json<CallPlace[]>(),
};

/** Writes a crash as a report for a mailing list. */
@Injectable()
export class CrashMailView {
  readonly #sql: Sql;
  readonly #logs: LogService;
  readonly #details: CrashDetailView;

  constructor(sql: Sql, logs: LogService, details: CrashDetailView) {
    this.#sql = sql;
    this.#logs = logs;
    this.#details = details;
  }

  /** Of an attempt's crash; throws a 404 problem when it has no such. @param role of several participants, whose */
  async of(attempt: string, key: string, role: string | null): Promise<CrashMail> {
    const own = await this.#sql.one(
      OWN,
      `select ${SIGHTING_COLUMNS}, part.combination, x.label as hardware, u.manifest, ${BUILT_GIT} as git, ${CALL_SOURCES} as sources
       from ${SEEN} left join combination x on x.hash = part.combination
       where t.id = $1 and c.key = $2 and ($3::text is null or p.role = $3) order by p.position limit 1`,
      [attempt, key, role],
    );
    if (own === null) throw notFound('crash', `${key} of attempt ${attempt}`);
    const crash = await this.#details.of(key);
    const place = crash.places.find(({ combination }) => (combination?.hash ?? null) === own.combination);
    const { start_line: from, end_line: last } = own;
    const stored = await this.#logs.lines(own.participant_id, own.stream, from, Math.min(last + 1, from + LINES_MAX));
    return mailText({
      crash,
      manifest: own.manifest,
      git: own.git,
      sources: own.sources,
      machine: own.machine,
      hardware: own.hardware,
      suite: own.suite,
      test: own.test,
      at: own.at.toISOString(),
      lastGood: place?.lastGood ?? null,
      lines: stored.length === 0 ? null : stored.flatMap(reportLines),
      linesLeftOut: Math.max(0, last + 1 - from - LINES_MAX),
    });
  }
}

const reportLines = ({ text: line }: LogLine): string[] => recordLines(plainText(line)).map((each) => each.trimEnd());
