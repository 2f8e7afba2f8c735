import { z } from 'zod';

/** Checks of one machine, and characters of each text. */
export const MACHINE_CHECKS_MAX = 64;
export const MACHINE_CHECK_TEXT_MAX = 600;

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
