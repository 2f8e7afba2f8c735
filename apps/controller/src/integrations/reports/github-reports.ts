import { z } from 'zod';
import { ForgeError, type ForgeClient } from './forge-client.js';
import { lineOf, segmentsOf, type ForgeReporter, type Shipment } from './forge-reporter.js';
import type { Standing } from './report-content.js';

const DESCRIPTION_MAX = 140;
const TITLE_MAX = 200;
const MESSAGE_MAX = 4000;

/** A lab that failed is neither a pass nor a failure; GitHub counts "neutral" as a pass of a required check. */
const CONCLUSIONS: Readonly<Record<Exclude<Standing, 'queued' | 'running'>, string>> = {
  held: 'action_required',
  refused: 'action_required',
  passed: 'success',
  failed: 'failure',
  lab: 'action_required',
  canceled: 'cancelled',
};

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

const CheckRun = z.object({ id: z.number().int().positive() });
const CheckRuns = z.object({ check_runs: z.array(CheckRun.extend({ external_id: z.string().nullish() })) });

/** Check runs: with the report as summary and build errors at their lines. Needs a GitHub App. */
export const GITHUB_CHECKS: ForgeReporter = async (client, shipment) => {
  const { report, content, remote } = shipment;
  const path = ['repos', ...segmentsOf(report.repository), 'check-runs'];
  // Annotations are added to those that are there, so they are sent once for a result.
  const isAnnotated = remote.annotated === report.wanted;
  const body = { ...checkRun(shipment), ...outputOf(shipment, isAnnotated) };
  if (remote.check === undefined && report.claim > 1) {
    const adopted = await adopt(client, shipment);
    if (adopted !== null) remote.check = adopted;
  }
  if (remote.check !== undefined) {
    try {
      await client.call('PATCH', [...path, remote.check], body);
    } catch (error) {
      if (!(error instanceof ForgeError && error.status === 404)) throw error;
      delete remote.check;
    }
  }
  if (remote.check === undefined) {
    const created = await client.call('POST', path, { ...body, head_sha: report.commit });
    remote.check = String(CheckRun.parse(created).id);
  }
  if (content.annotations.length > 0) remote.annotated = report.wanted;
};

/** The check run of a sender that died between the forge's answer and its own record. */
async function adopt(client: ForgeClient, { report }: Shipment): Promise<string | null> {
  const path = ['repos', ...segmentsOf(report.repository), 'commits', report.commit, 'check-runs'];
  const found = CheckRuns.parse(await client.call('GET', path, undefined, { check_name: report.context }));
  const own = found.check_runs.find((check) => check.external_id === report.id);
  return own === undefined ? null : String(own.id);
}

function checkRun({ report, content: { standing, url, startedAt, endedAt } }: Shipment): object {
  const status =
    standing === 'queued' || standing === 'running'
      ? { status: standing === 'queued' ? 'queued' : 'in_progress' }
      : {
          status: 'completed',
          conclusion: CONCLUSIONS[standing],
          ...(endedAt === null ? {} : { completed_at: endedAt }),
        };
  return {
    name: report.context,
    external_id: report.id,
    details_url: url,
    ...(startedAt === null ? {} : { started_at: startedAt }),
    ...status,
  };
}

function outputOf({ content: { title, summary, annotations } }: Shipment, isAnnotated: boolean): object {
  return {
    output: {
      title: lineOf(title, TITLE_MAX),
      summary,
      ...(isAnnotated || annotations.length === 0
        ? {}
        : {
            annotations: annotations.map(({ path, line, message }) => ({
              path,
              start_line: line,
              end_line: line,
              annotation_level: 'failure',
              message: message.slice(0, MESSAGE_MAX),
            })),
          }),
    },
  };
}

/** Commit statuses: what an ordinary token may write. The newest of a name counts, so that sending it again is harmless. */
export const GITHUB_STATUSES: ForgeReporter = async (client, { report, content }) => {
  await client.call('POST', ['repos', ...segmentsOf(report.repository), 'statuses', report.commit], {
    state: STATES[content.standing],
    target_url: content.url,
    description: lineOf(content.title, DESCRIPTION_MAX),
    context: report.context,
  });
};
