import { z } from 'zod';

/**
 * What a run is for: `test` = somebody asks what a kernel does; `health` = the farm looks whether a machine is sound,
 * with a kernel that is known to be good. What the latter finds is about the machine and never about a kernel.
 */
export const RunPurpose = z.enum(['test', 'health']);
export type RunPurpose = z.infer<typeof RunPurpose>;
