import { readFileSync } from 'node:fs';
import { HttpClient } from '@peerlab/client';
import { Command as Program, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Answer, Command, Context, OptionSpec, Seat } from './command.js';
import { COMMANDS } from './commands.js';
import { EXIT, exitCodeOfError, remedyOf, UsageError, type ExitCode } from './exit-codes.js';
import { terminalText } from './render/terminal.js';
import { wantsColour } from './render/text.js';
import { findToken } from './token.js';

/** What a run of this program has of its process. */
export interface Io {
  stdin: Seat['stdin'];
  stdout: Seat['stdout'];
  stderr: NodeJS.WritableStream;
  env: Readonly<Record<string, string | undefined>>;
}

interface Globals {
  url: string;
  tokenFile?: string;
  json?: true;
}

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

/** Options of every command: flags, help, value unless given. */
export const GLOBAL_OPTIONS: readonly [flags: string, help: string][] = [
  ['--url <url>', 'the controller; else `PEERLAB_URL`, else `http://127.0.0.1:7470`'],
  ['--token-file <file>', 'file with a user token; else `PEERLAB_TOKEN`, else the token that `npm start` created'],
  ['--json', 'print JSON; `logs` prints one object for each line'],
  ['--version', 'print the version of this program'],
];

/**
 * Runs one command line and returns its exit code (EXIT). A reader of standard output that goes away, as `head` does,
 * ends it quietly with the code of what is known by then.
 * @param argv without the program's name
 */
export async function runProgram(argv: readonly string[], io: Io): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  const setExitCode = (code: ExitCode): void => void (exitCode = code);
  const program = createProgram(io, setExitCode);
  const closed = new Promise<'closed'>((resolve) => {
    io.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') {
        reportError(io, error);
        setExitCode(EXIT.outputFailed);
      }
      resolve('closed');
    });
  });
  io.stderr.on('error', () => undefined);
  const done = program
    .parseAsync(argv, { from: 'user' })
    .catch((error: unknown) => setExitCode(reportError(io, error)));
  await Promise.race([done, closed]);
  return exitCode;
}

function reportError(io: Io, error: unknown): ExitCode {
  // The parser has written its message; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const message = error instanceof Error ? error.message : String(error);
  io.stderr.write(`peerlab: ${terminalText(message)}${remedyOf(error)}\n`);
  return exitCodeOfError(error);
}

function createProgram(io: Io, setExitCode: (code: ExitCode) => void): Program {
  const program = new Program('peerlab')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .configureHelp({ showGlobalOptions: true })
    .description('Submit runs to a Peerlab farm and read their results')
    .version(manifest.version, '--version', plain(helpOf('--version')));
  for (const [flags, help] of GLOBAL_OPTIONS) if (flags !== '--version') program.option(flags, plain(help));
  for (const command of COMMANDS) add(program, command, io, setExitCode);
  return program;
}

const helpOf = (flags: string): string => GLOBAL_OPTIONS.find(([own]) => own === flags)?.[1] ?? '';
/** Without the marks of Markdown. */
const plain = (text: string): string => text.replaceAll('`', '');

function add(program: Program, command: Command, io: Io, setExitCode: (code: ExitCode) => void): void {
  const words = command.usage.split(' ');
  const names = words.filter((word) => !/^[<[]/.test(word));
  const own = words.slice(names.length);
  // `machines set` stands below `machines`, which the table has before it; `machine` does nothing by itself.
  const [group] = names.length === 1 ? [] : names;
  const parent =
    group === undefined
      ? program
      : (program.commands.find((known) => known.name() === group) ??
        program.command(group).description(`commands of one ${group}`));
  const parser = parent.command([names.at(-1) ?? '', ...own].join(' ')).description(plain(command.summary));
  for (const spec of Object.values(command.options)) parser.addOption(optionOf(spec));
  parser.action(async (...given: unknown[]) => {
    const args = given.slice(0, own.length).map((value) => value as string);
    const context = await contextOf(program.opts<Globals>(), io, setExitCode);
    const answer = await command.run(context, args, valuesOf(command, parser.opts()));
    if (answer !== null) print(context, answer);
  });
}

/** Every option of the table has a value: a flag that is not given is false. */
function valuesOf(command: Command, given: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(command.options).map(([name, { kind }]) => [
      name,
      given[name] ?? (kind === 'flag' ? false : undefined),
    ]),
  );
}

function optionOf(spec: OptionSpec): Option {
  const option = new Option(spec.flags, plain(spec.help));
  if (spec.kind === 'choice') return option.choices(spec.of).default(spec.preset);
  if (spec.kind === 'text') return option.makeOptionMandatory(spec.isRequired === true);
  if (spec.kind !== 'count') return option;
  return option.default(spec.preset).argParser((text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= spec.from && value <= spec.to) return value;
    throw new InvalidArgumentError(`Expected a number from ${spec.from} to ${spec.to}.`);
  });
}

async function contextOf(globals: Globals, io: Io, setExitCode: (code: ExitCode) => void): Promise<Context> {
  const url = globals.url ?? (io.env['PEERLAB_URL'] || 'http://127.0.0.1:7470');
  if (!URL.canParse(url)) throw new UsageError(`--url ${url}: expected an address such as http://127.0.0.1:7470`);
  const token = await findToken(globals.tokenFile, io.env);
  const isTerminal = io.stdout.isTTY === true;
  return {
    api: new HttpClient({ url, token: () => token }),
    json: globals.json === true,
    colour: wantsColour(io.stdout, io.env),
    stdin: io.stdin,
    seat: { stdin: io.stdin, stdout: io.stdout },
    writeError: (text) => void io.stderr.write(terminalText(text)),
    env: io.env,
    // Names, reasons and log lines come from machines under test: only their colours may reach a terminal.
    write: (text) => void io.stdout.write(isTerminal ? terminalText(text) : text),
    setExitCode,
  };
}

function print(context: Context, { data, text, exitCode }: Answer): void {
  const shown = context.json ? JSON.stringify(data, null, 2) : text;
  if (shown !== '') context.write(`${shown}\n`);
  context.setExitCode(exitCode ?? EXIT.done);
}
