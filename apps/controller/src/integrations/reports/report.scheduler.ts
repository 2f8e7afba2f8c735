import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { log } from '@peerlab/runtime';
import { SETTINGS_TOKEN, type Settings } from '../../platform/config.js';
import { Bus } from '../../platform/database/bus.js';
import { endsWithin } from '../../platform/deadline.js';
import type { PeriodicJob } from '../../platform/health/periodic-job.js';
import { Readiness } from '../../platform/health/readiness.js';
import type { ForgeHookSetting } from '../../platform/hooks-file.js';
import { ForgeAccess } from './forge-access.js';
import { ForgeError } from './forge-client.js';
import type { ForgeReporter } from './forge-reporter.js';
import { GITEA_REPORTS } from './gitea-reports.js';
import { GITHUB_CHECKS, GITHUB_STATUSES } from './github-reports.js';
import { GITLAB_REPORTS } from './gitlab-reports.js';
import { ReportContents } from './report-content.js';
import { CLAIM_SECONDS, pauseAfter, ReportOutbox, type ClaimedReport } from './report-outbox.js';

/** Interval at which the outbox is looked at, in milliseconds; a change wakes it sooner. */
const TICK_MS = 2000;
/** How long the pass that runs may take to end at the shutdown, in milliseconds; its claims end by themselves. */
const STOP_MS = 3000;

/**
 * Tells forges how commits stand. The outbox says what is due; a report that does not arrive is tried again after a
 * pause that grows. Several controllers may send at once: each report is claimed by one of them.
 */
@Injectable()
export class ReportScheduler implements BeforeApplicationShutdown {
  readonly #hooks: ReadonlyMap<string, ForgeHookSetting>;
  readonly #outbox: ReportOutbox;
  readonly #contents: ReportContents;
  readonly #access = new ForgeAccess();
  readonly #job: PeriodicJob;
  #running: Promise<void> | null = null;
  #again = false;
  #isStopped = false;

  constructor(
    @Inject(SETTINGS_TOKEN) settings: Settings,
    outbox: ReportOutbox,
    contents: ReportContents,
    bus: Bus,
    readiness: Readiness,
  ) {
    const reporting = (settings.hooks ?? []).filter((hook) => hook.kind !== 'generic' && hook.report !== null);
    this.#hooks = new Map(reporting.map((hook) => [hook.name, hook as ForgeHookSetting]));
    this.#outbox = outbox;
    this.#contents = contents;
    this.#job = readiness.periodicJob('reports', { everyMs: TICK_MS, longestMs: 2 * CLAIM_SECONDS * 1000 });
    bus.onMessage((message) => {
      if (message.type === 'changed' && message.topics.includes('runs')) void this.tick();
    });
    bus.onResync(() => void this.tick());
  }

  /** Names of the hooks that report. */
  get sources(): ReadonlySet<string> {
    return new Set(this.#hooks.keys());
  }

  /** Sends what is due, never twice at a time in one process. */
  @Interval(TICK_MS)
  tick(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#again = true;
    this.#running ??= this.#pass()
      .catch((err: unknown) => log.error({ err }, 'reports-failed'))
      .finally(() => (this.#running = null));
    return this.#running;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isStopped = true;
    if (this.#running !== null && !(await endsWithin(STOP_MS, this.#running)))
      log.warn({ afterMs: STOP_MS }, 'reports-not-stopped');
  }

  async #pass(): Promise<void> {
    await this.#job.run(async () => {
      while (this.#again && !this.#isStopped) {
        this.#again = false;
        const reports = await this.#outbox.claim([...this.#hooks.keys()]);
        await Promise.all(reports.map((report) => this.#send(report)));
        if (reports.length > 0) this.#again = true;
        else await this.#outbox.closeOld();
      }
    });
  }

  async #send(report: ClaimedReport): Promise<void> {
    const remote = { ...report.remote };
    const { source, repository, commit, context } = report;
    const hook = this.#hooks.get(source);
    if (hook?.report == null) return;
    try {
      const content = await this.#contents.read(report, hook.report.web);
      const [earlierNote, isOutdated] =
        report.number === null
          ? [null, false]
          : await Promise.all([this.#outbox.earlierNote(report), this.#outbox.isOutdated(report)]);
      const client = await this.#access.client(hook, hook.report);
      await reporterOf(hook)(client, { report, content, remote, earlierNote, isOutdated });
      const kept = await this.#outbox.sent(report, remote);
      log.info({ source, repository, commit, context, standing: content.standing, kept }, 'report-sent');
    } catch (error) {
      const tries = report.tries + 1;
      const asked = error instanceof ForgeError ? error.retryAfterSeconds : null;
      const pause = Math.max(asked ?? 0, pauseAfter(tries, Math.random()));
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof ForgeError && error.status === 401) this.#access.forget(source);
      log.warn(
        { source, repository, commit, context, tries, pauseSeconds: Math.round(pause), message },
        'report-failed',
      );
      await this.#outbox.failed(report, message, remote, pause);
    }
  }
}

function reporterOf({ kind, report }: ForgeHookSetting): ForgeReporter {
  switch (kind) {
    case 'github':
      return report?.app == null ? GITHUB_STATUSES : GITHUB_CHECKS;
    case 'gitlab':
      return GITLAB_REPORTS;
    case 'gitea':
      return GITEA_REPORTS;
  }
}
