import { z } from 'zod';
import { BuildEstimate, ExpectedStart } from './expected-start.js';
import { Name, SuiteName } from './ids.js';
import { Role } from './participants.js';
import { DevicePair, PathKind } from './paths.js';
import { ProblemItem } from './problem.js';

export const TemplateView = z.object({ name: Name, description: z.string(), yaml: z.string() });
export type TemplateView = z.infer<typeof TemplateView>;

/** Subjects of an mbox that a check names; it counts the others. */
export const SUBJECTS_MAX = 50;

/** The patches of one mbox of a run file, as the builder will take them. */
export const CheckedSeries = z.object({
  build: Name,
  /** Its place in the list of builds, and in that build's series; both from 0. */
  buildIndex: z.number().int().nonnegative(),
  index: z.number().int().nonnegative(),
  patches: z.number().int().nonnegative(),
  /** Of the first SUBJECTS_MAX patches; a diff without a mail header has an empty one. */
  subjects: z.array(z.string()).max(SUBJECTS_MAX),
  /** Mails that are no part of the series, the first SUBJECTS_MAX of them. */
  leftOut: z.array(z.object({ subject: z.string(), why: z.string() })).max(SUBJECTS_MAX),
  /** What does not fit to the source of its build; null when nothing is known to. */
  note: z.string().nullable(),
});
export type CheckedSeries = z.infer<typeof CheckedSeries>;

/** `2 patches: mm: one; mm: two; left out: [PATCH 0/2] mm (the cover letter)`. */
export function seriesText({ patches, subjects, leftOut, note }: CheckedSeries): string {
  const count = patches === 1 ? '1 patch' : `${patches} patches`;
  const named = subjects.map((subject) => (subject === '' ? 'without a subject' : subject));
  const more = patches - named.length;
  const without = leftOut
    .map(({ subject, why }) => `; left out: ${subject || 'a mail without a subject'} (${why})`)
    .join('');
  return `${count}: ${named.join('; ')}${more > 0 ? ` and ${more} more` : ''}${without}${note === null ? '' : `; ${note}`}`;
}

/** Machines that a dry run names of those that may take a job. */
export const PLAN_MACHINES_MAX = 20;

/** `v-switch`, or `any of v-a, v-b`, of the machines that may take a planned job. */
export function machinesText({
  machines,
  machinesTotal,
}: {
  machines: readonly string[];
  machinesTotal: number;
}): string {
  const more = machinesTotal - machines.length;
  if (machinesTotal === 1) return machines[0] ?? '';
  return `any of ${machines.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const PlannedPart = z.object({
  build: Name,
  /** Machines that may take it, by name: the first PLAN_MACHINES_MAX of them. */
  machines: z.array(Name).max(PLAN_MACHINES_MAX),
  machinesTotal: z.number().int().nonnegative(),
  combination: z.string(),
  pathKind: PathKind,
  /** The devices that it tests on the first of the machines. */
  pair: DevicePair,
  suites: z.array(SuiteName),
});

/** `client: v-a with patched, server: any of v-b, v-c with base`, of a planned job with several roles. */
export const rolesText = (
  roles: readonly { role: string; build: string; machines: readonly string[]; machinesTotal: number }[],
): string => roles.map((role) => `${role.role}: ${machinesText(role)} with ${role.build}`).join(', ');

/** Answer to a dry run of a submission. */
export const SubmissionReport = z.object({
  ok: z.boolean(),
  problems: z.array(ProblemItem),
  /** What would run; empty when not ok. */
  plan: z.array(
    // Of a job with several roles that of the first one, but with the combination of all.
    PlannedPart.extend({
      /** What each machine of a job with several does; empty for all others. */
      roles: z.array(PlannedPart.extend({ role: Role })).default([]),
      /** How often it is booted, in turns with the other builds, on one machine. */
      boots: z.number().int().positive(),
      start: ExpectedStart,
    }),
  ),
  /** Kernels that no stored bundle is named for. */
  builds: z.array(
    BuildEstimate.extend({
      build: Name,
      /** Configuration, where the build is several kernels: one for each configuration of its machines. */
      config: Name.optional(),
    }),
  ),
  /** What is in the mboxes of the run. */
  series: z.array(CheckedSeries),
  /** Machines that do not match, and why. */
  unmatched: z.array(z.object({ machine: Name, why: z.string() })),
});
export type SubmissionReport = z.infer<typeof SubmissionReport>;
