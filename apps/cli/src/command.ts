import type { HttpClient } from '@peerlab/client';
import type { ExitCode } from './exit-codes.js';

/** An option of one command. Its name is the key in `options`; `flags` is what people type. */
export type OptionSpec = { flags: string; help: string } & (
  | { kind: 'flag' }
  | { kind: 'text'; isRequired?: true }
  | { kind: 'count'; from: number; to: number; preset: number }
  | { kind: 'choice'; of: readonly string[]; preset: string }
);

type ValueOf<O extends OptionSpec> = O extends { kind: 'flag' }
  ? boolean
  : O extends { kind: 'count' }
    ? number
    : O extends { kind: 'choice'; of: readonly (infer W)[] }
      ? W
      : O extends { kind: 'text'; isRequired: true }
        ? string
        : string | undefined;
export type OptionValues<O> = { [K in keyof O]: O[K] extends OptionSpec ? ValueOf<O[K]> : never };

/** What a command found out: the data for --json, and the text for people. */
export interface Answer {
  data: unknown;
  text: string;
  /** 0 unless given. */
  exitCode?: ExitCode;
}

/** Where a person sits: the standard streams of this program. */
export interface Seat {
  stdin: AsyncIterable<unknown> & { isTTY?: boolean; setRawMode?: (raw: boolean) => unknown };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };
}

/** What a command works with. */
export interface Context {
  api: HttpClient;
  /** Whether --json was given. */
  json: boolean;
  colour: boolean;
  stdin: AsyncIterable<unknown>;
  /** For commands that are a terminal themselves. */
  seat: Seat;
  /** Variables of the process, such as those of a CI system. */
  env: Readonly<Record<string, string | undefined>>;
  /** Writes to standard output; on a terminal without control characters of machines under test. */
  write: (text: string) => void;
  /** Writes to standard error. */
  writeError: (text: string) => void;
  /** The exit code from now on, also when the reader of standard output goes away. */
  setExitCode: (code: ExitCode) => void;
}

/** A command as the table has it: help, README and the parser all come from this. */
export interface Command {
  /** As typed: `machines set <machine> <state>`. */
  usage: string;
  /** One sentence, without a full stop. Code in backquotes. */
  summary: string;
  options: Readonly<Record<string, OptionSpec>>;
  /** Null when it has written everything itself. */
  run: (
    context: Context,
    args: readonly string[],
    options: Readonly<Record<string, unknown>>,
  ) => Promise<Answer | null>;
}

/** Gives `run` the types of the values of its options; the parser makes them by the same table. */
export function command<const O extends Readonly<Record<string, OptionSpec>>>(
  usage: string,
  summary: string,
  options: O,
  run: (context: Context, args: readonly string[], options: OptionValues<O>) => Promise<Answer | null>,
): Command {
  return { usage, summary, options, run: run as Command['run'] };
}
