import { z } from 'zod';
import { FarmCatalogue } from '../schema/catalogue.js';
import { RunSummary } from '../schema/runs.js';
import { SubmissionReport, TemplateView } from '../schema/submissions.js';
import type { Route } from './route.js';

/** YAML as typed by a person, so that errors can name line and column. */
export const Submission = z.strictObject({
  yaml: z
    .string()
    .min(1)
    .max(6 * 1024 * 1024),
});
export type Submission = z.infer<typeof Submission>;

/** `id`: what the run will be called. A submission whose answer was lost is sent again with the same one, and makes no second run. */
export const NewRun = Submission.extend({ id: z.uuid().optional() });

/** Routes of what makes a run: its file, what the file may name, templates. */
export const SUBMISSION_ROUTES = {
  submitRun: { method: 'POST', path: '/api/v1/runs', access: 'user', body: NewRun, response: RunSummary },
  checkRun: {
    method: 'POST',
    path: '/api/v1/runs/check',
    access: 'read',
    isHeavy: true,
    body: Submission,
    response: SubmissionReport,
  },
  /** Suites and kernel configurations that a run may name, as the builders tell them. */
  getCatalogue: { method: 'GET', path: '/api/v1/catalogue', access: 'read', response: FarmCatalogue },
  listTemplates: { method: 'GET', path: '/api/v1/templates', access: 'read', response: z.array(TemplateView) },
} as const satisfies Record<string, Route>;
