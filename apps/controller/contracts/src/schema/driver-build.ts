import { z } from 'zod';
import { UNBUILT_ERROR_MAX } from './bundle.js';
import { Name, Sha256 } from './ids.js';

/** Out-of-tree drivers of one builder. */
export const DRIVERS_MAX = 32;
/** kernel/scripts/driver-recipes.pl leaves out a driver with another name. */
export const DriverName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'expected up to 40 small letters, digits and -');

/** Largest archive of one driver, in bytes: the modules of a GPU have about 100 MB. */
export const DRIVER_MAX_BYTES = 512 * 1024 * 1024;

/** What became of one of the lab's out-of-tree drivers with one kernel. */
export const DriverBuild = z
  .object({
    name: DriverName,
    /** Of its recipe; empty where that is wrong. */
    version: z.string().max(64),
    /** What a machine loads, in this order. */
    modules: z.array(Name).max(16),
    /** Digest of all that it is made of: the kernel, its source, the compiler. Null where its recipe is wrong or nothing could be read. */
    key: Sha256.nullable(),
    /** A tar of `lib/modules/RELEASE/updates/peerlab/NAME`; null = it does not build. */
    archive: z.object({ sha256: Sha256, sizeBytes: z.number().int().positive().max(DRIVER_MAX_BYTES) }).nullable(),
    /** The first error of one that does not build. */
    error: z.string().max(UNBUILT_ERROR_MAX).nullable(),
  })
  .refine(({ archive, error }) => (archive === null) !== (error === null), 'expected either an archive or an error');
export type DriverBuild = z.infer<typeof DriverBuild>;
