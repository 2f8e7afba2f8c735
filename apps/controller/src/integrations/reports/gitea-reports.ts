import { lineOf, segmentsOf, type ForgeReporter } from './forge-reporter.js';
import type { Standing } from './report-content.js';

const DESCRIPTION_MAX = 255;

const STATES: Readonly<Record<Standing, string>> = {
  held: 'pending',
  refused: 'error',
  queued: 'pending',
  running: 'pending',
  passed: 'success',
  failed: 'failure',
  lab: 'error',
  canceled: 'error',
};

/** A commit status; the newest of a name counts, so that sending it again is harmless. */
export const GITEA_REPORTS: ForgeReporter = async (client, { report, content }) => {
  await client.call('POST', ['repos', ...segmentsOf(report.repository), 'statuses', report.commit], {
    state: STATES[content.standing],
    target_url: content.url,
    description: lineOf(content.title, DESCRIPTION_MAX),
    context: report.context,
  });
};
