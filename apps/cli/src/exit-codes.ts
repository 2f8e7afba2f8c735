import { ApiError } from '@peerlab/client';

/** A command line that says what cannot be meant. The message names the word and what it takes. */
export class UsageError extends Error {}

/** A file that the command line names and that cannot be read. */
export class FileError extends Error {}
/** A file that the command line names cannot be written. */
export class OutputError extends Error {}

/** The controller does not do it, in its words. */
export class Refused extends Error {}

/** Work was given to the farm that it cannot take. */
export class RunFileError extends Error {}

/**
 * Every exit code of this program. 0 to 2 are those of the verdict table in the contracts; the others are those of
 * sysexits.h, so that a script tells a mistake of its own from a finding.
 */
export const EXIT = {
  done: 0,
  findings: 1,
  noStatement: 2,
  usage: 64,
  badRunFile: 65,
  noInput: 66,
  unavailable: 69,
  bug: 70,
  outputFailed: 74,
  noPermission: 77,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each code means, for the README. */
export const EXIT_MEANING: Record<keyof typeof EXIT, string> = {
  done: 'done; with `watch` and `submit --watch`: the run passed or was skipped',
  findings:
    '`watch`, `submit --watch`: findings (crash, fail, bounced, tainted, flaky, not reached); `ktap`: something failed, or the results are not as they should be; `machine`: a check failed',
  noStatement:
    '`watch`, `submit --watch`: the lab failed, a suite brought no result, the run was canceled, or it has no verdict; `machine`: it does not answer',
  usage:
    'the command line: an unknown command or option, a missing argument, an id that nothing has or several things have',
  badRunFile: 'the run file: it is not valid, or the farm cannot do what it asks for; also of `submit --check`',
  noInput: 'a file that the command line names cannot be read',
  unavailable: 'the controller does not answer, or refused: there is no such thing, or its state does not permit it',
  bug: 'a fault of this program, or a controller of another version',
  outputFailed: 'the output cannot be written, as on a full disk',
  noPermission: 'no token, a wrong one, or one that may not do this',
};

/** The exit code for what a command was rejected with. */
export function exitCodeOfError(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof RunFileError) return EXIT.badRunFile;
  if (error instanceof FileError) return EXIT.noInput;
  if (error instanceof OutputError) return EXIT.outputFailed;
  if (error instanceof Refused) return EXIT.unavailable;
  if (!(error instanceof ApiError)) return EXIT.bug;
  const { status, code } = error.problem;
  if (code === 'contract') return EXIT.bug;
  if (status === 401 || status === 403) return EXIT.noPermission;
  // A body that the controller refuses is the run file; everything else in it comes from options.
  if (error.route === 'submitRun' && (status === 413 || status === 422)) return EXIT.badRunFile;
  if (status === 400 || status === 422) return EXIT.usage;
  return EXIT.unavailable;
}

/** What to do about an error beyond what its message says; an empty text when there is nothing to add. */
export function remedyOf(error: unknown): string {
  if (!(error instanceof ApiError)) return '';
  if (error.problem.code === 'unreachable') return '; start one with "npm start", or name it with --url or PEERLAB_URL';
  if (error.problem.status === 401) return '; give a user token with --token-file or PEERLAB_TOKEN';
  return '';
}
