import { z } from 'zod';
import { Commit } from './kernel-source.js';

/** Programs that show git repositories on the web, each with its own addresses of lines. */
export const Forge = z.enum(['github', 'gitlab', 'gitea', 'cgit']);
export type Forge = z.infer<typeof Forge>;

const Host = z
  .string()
  .regex(/^[a-z0-9.-]{1,253}(?::\d{1,5})?$/, 'expected a host in lower case, such as git.example.org');
/** Hosts that the farm may link to, and what runs there; no other host is linked to. */
export const SourceHosts = z
  .record(Host, Forge)
  .refine((hosts) => Object.keys(hosts).length <= 100, { error: 'at most 100' });
export type SourceHosts = z.infer<typeof SourceHosts>;

/** Hosts of everybody, where an administrator names none. */
export const PUBLIC_SOURCE_HOSTS: SourceHosts = {
  'github.com': 'github',
  'gitlab.com': 'gitlab',
  'codeberg.org': 'gitea',
  'git.kernel.org': 'cgit',
};

/** Files that a series changes, at most; of a longer one no line is linked. */
export const CHANGED_FILES_MAX = 5000;

/** How a line of the tree that was built is found on the web. */
export const SourceLinks = z.object({
  /** Null where there is no page: the source is no git repository, its host is not allowed, or its commit is not known. */
  page: z.object({ forge: Forge, repository: z.string(), commit: Commit }).nullable(),
  /** Why there is none, for people; null where there is one. */
  why: z.string().nullable(),
  /** Files that the series on top changes: their lines are elsewhere in the commit. */
  changed: z.array(z.string()).max(CHANGED_FILES_MAX),
  /** Folders of the tree by the suite whose programs were built in them: they name their files without it. */
  folders: z.record(z.string(), z.string()),
});
export type SourceLinks = z.infer<typeof SourceLinks>;
