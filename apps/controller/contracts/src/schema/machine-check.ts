import { z } from 'zod';

/** Checks of one machine, and characters of each text. */
export const MACHINE_CHECKS_MAX = 64;
export const MACHINE_CHECK_TEXT_MAX = 600;
/** Runs of `peerlab machine` that are kept of a machine: the newest, and the newest that acted. */
export const MACHINE_CHECK_RUNS_MAX = 2;
export const MACHINE_CHECK_BY_MAX = 100;

export const MachineCheckVerdict = z.enum(['pass', 'warn', 'fail']);
export type MachineCheckVerdict = z.infer<typeof MachineCheckVerdict>;

/** What a look at a machine said about one thing that the farm needs of it. */
export const MachineCheck = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  /** `warn` = tests run, and something about them may surprise; `fail` = they do not run, or would not be safe. */
  verdict: MachineCheckVerdict,
  detail: z.string().max(MACHINE_CHECK_TEXT_MAX),
  /** What a person can do about it; null when nothing has to be done. */
  remedy: z.string().max(MACHINE_CHECK_TEXT_MAX).nullable(),
});
export type MachineCheck = z.infer<typeof MachineCheck>;

/** What `peerlab machine add` or `check` said when a person ran it on the host of the agent. */
export const MachineCheckRun = z.object({
  /** When it ended, by the clock of that host. */
  at: z.iso.datetime(),
  /** The account of that host that ran it; as that host tells it, which proves nothing. */
  by: z.string().min(1).max(MACHINE_CHECK_BY_MAX),
  /** It also proved what changes the machine (`--act`). */
  acted: z.boolean(),
  list: z.array(MachineCheck).max(MACHINE_CHECKS_MAX),
});
export type MachineCheckRun = z.infer<typeof MachineCheckRun>;
