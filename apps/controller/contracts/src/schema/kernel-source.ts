import { z } from 'zod';
import { Sha256 } from './ids.js';

/** Longest address of a repository and longest name of a ref, in characters. */
const URL_MAX = 500;
const REF_MAX = 250;

/** Protocols that a builder fetches by; none of them runs a program or reads a local file. */
const PROTOCOLS: ReadonlySet<string> = new Set(['https', 'http', 'git']);
const HOST = /^(?:[a-zA-Z0-9_.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?$/;
const PATH = /^(?:\/[a-zA-Z0-9~_.+%-]{1,250}){1,30}\/?$/;

/** Why a text is no address of a repository; null when it is one. */
function whyNoRepository(text: string): string | null {
  const colon = text.indexOf('://');
  if (colon === -1) return 'expected a URL such as https://host/path/linux.git';
  if (!PROTOCOLS.has(text.slice(0, colon)))
    return `${text.slice(0, Math.min(colon, 40))}:// is not fetched; use https, http or git`;
  const rest = text.slice(colon + 3);
  const slash = rest.indexOf('/');
  const [host, path] = slash === -1 ? [rest, ''] : [rest.slice(0, slash), rest.slice(slash)];
  if (host.includes('@')) return 'a URL must not carry a user or a password: it is stored and shown';
  if (HOST.test(host) && PATH.test(path) && !path.split('/').includes('..')) return null;
  return 'expected a host and a path alone, such as https://host/path/linux.git';
}

/** Address of a git repository without credentials. */
export const RepositoryUrl = z
  .string()
  .min(1)
  .max(URL_MAX)
  .superRefine((text, context) => {
    const message = whyNoRepository(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

/** A whole commit id: SHA-1, or SHA-256 where a repository has those. */
export const Commit = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
export type Commit = z.infer<typeof Commit>;

/** Whether a ref names a commit by its whole id, and so can never mean another one. */
export const isCommit = (ref: string): boolean => Commit.safeParse(ref).success;

/** Why a text cannot be the name of a ref, by the rules of git check-ref-format; null when it can. */
function whyNoRef(ref: string): string | null {
  if (/[^\x21-\x7e]|[~^:?*[\\]/.test(ref)) return 'a ref has no blanks and none of ~ ^ : ? * [ and backslash';
  if (ref.startsWith('-') || ref.startsWith('/') || ref.endsWith('/') || ref.endsWith('.'))
    return 'a ref does not begin with - or /, nor end with / or .';
  if (ref.includes('..') || ref.includes('//') || ref.includes('@{') || ref === '@' || ref === 'HEAD')
    return 'expected a branch, a tag, a whole commit or a name such as refs/pull/7/head';
  if (ref.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock')))
    return 'no part of a ref begins with a dot or ends with .lock';
  // A builder asks the server for it, which knows no abbreviations.
  if (/^[0-9a-f]{7,39}$/.test(ref) && /\d/.test(ref) && /[a-f]/.test(ref))
    return 'an abbreviated commit cannot be fetched; give all 40 digits (git rev-parse), or refs/heads/NAME for a branch';
  return null;
}

/** Branch, tag, whole commit, or a full name such as `refs/pull/7/head`. */
export const GitRef = z
  .string()
  .min(1)
  .max(REF_MAX)
  .superRefine((ref, context) => {
    const message = whyNoRef(ref);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

/** One of the `others` of kernel/base.json, as that names it. */
export const BaseName = z
  .string({ error: 'expected the name of a base as text, in quotes: "7.2"' })
  .max(64)
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/, 'expected the name of a base, such as "7.2"');

/** A tree of a git repository that a builder may fetch. */
export const GitSource = z.strictObject({
  url: RepositoryUrl.describe('a repository that a builder allows, exactly as its configuration names it'),
  ref: GitRef.describe('branch, tag, whole commit, or refs/…; the run records the commit that it is when it is built'),
});
export type GitSource = z.infer<typeof GitSource>;

/** A git source as it was built; `commit` is null until a builder has looked it up. */
export const BuiltGit = z.object({ url: z.string(), ref: z.string(), commit: Commit.nullable() });
export type BuiltGit = z.infer<typeof BuiltGit>;

/** What an agent is told to build from; absent = the farm's base. */
export const WorkSource = z.union([
  z.object({ git: GitSource }),
  z.object({ tarball: Sha256 }),
  z.object({ base: BaseName }),
]);
export type WorkSource = z.infer<typeof WorkSource>;

/** Largest fragment of a configuration, in characters. */
export const FRAGMENT_MAX = 64 * 1024;
/** Wrong lines of a fragment that are named. */
const WRONG_LINES_MAX = 5;

const SYMBOL = /^CONFIG_[A-Z0-9_a-z]{1,100}=(?:[ymn]|-?\d{1,20}|0x[0-9a-fA-F]{1,16}|"[^"\\]{0,1000}")$/;
const UNSET = /^# CONFIG_[A-Z0-9_a-z]{1,100} is not set$/;

/** Lines of a configuration as `.config` has them. */
export const ConfigFragment = z
  .string()
  .min(1)
  .max(FRAGMENT_MAX)
  .superRefine((text, context) => {
    let wrong = 0;
    for (const [index, raw] of text.split('\n').entries()) {
      const line = raw.trim();
      if (
        line === '' ||
        SYMBOL.test(line) ||
        UNSET.test(line) ||
        (line.startsWith('#') && !line.startsWith('# CONFIG_'))
      )
        continue;
      wrong += 1;
      if (wrong > WRONG_LINES_MAX) return;
      const message = `line ${index + 1}, "${line.slice(0, 60)}", is no setting; expected CONFIG_NAME=y, =m, =n, a number or a "text", or # CONFIG_NAME is not set`;
      context.addIssue({ code: 'custom', message });
    }
  });
