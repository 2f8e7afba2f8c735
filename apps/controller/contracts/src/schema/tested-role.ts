import { z } from 'zod';
import { Name } from './ids.js';
import { BuiltGit } from './kernel-source.js';
import { Role } from './participants.js';
import { DevicePair } from './paths.js';

/** Which side of a job with several roles a result or a figure is of; nothing in a job with one. */
export const TestedSide = z.object({
  role: Role.optional(),
  /** The first role and its build, which name the job's combination; absent where `role` is that one. */
  facing: z.object({ role: Role, build: Name }).optional(),
});
export type TestedSide = z.infer<typeof TestedSide>;

/** A kernel under the name that a run gave it; what its bundle says is null while it is not built. */
export const NamedKernel = z.object({
  /** Of the build. */
  id: z.uuid(),
  name: Name,
  release: z.string().nullable(),
  buildId: z.string().nullable(),
  features: z.array(z.string()).nullable(),
  /** Name of the kernel configuration. */
  config: Name.nullable(),
  /** Null where it is not of a git repository. */
  git: BuiltGit.nullable().default(null),
});

/** What a role of a job with several boots, and where. */
export const TestedRole = z.object({
  role: Role,
  /** Null until it runs, unless only one machine will do. */
  machine: Name.nullable(),
  pair: DevicePair.nullable(),
  build: NamedKernel,
});
export type TestedRole = z.infer<typeof TestedRole>;
