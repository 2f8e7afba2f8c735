import { randomUUID } from 'node:crypto';
import { terminalText } from '../render/terminal.js';

/** A place in the checkout. */
export interface CiPlace {
  path: string;
  /** From 1. */
  line: number;
}

/**
 * How a CI system is told to fold lines and to mark errors. Names, reasons and log lines come from strangers: none of
 * them can give the CI system a command.
 */
export interface CiOutput {
  /** Opens a fold; lines follow. */
  open(title: string): string;
  /** Foreign lines inside of a fold. */
  lines(text: string): string;
  close(): string;
  /** An error that is shown beside the job or the file; empty where the CI system has none. */
  error(title: string, message: string, place: CiPlace | null): string;
}

/** By the variables that the CI systems set; Gitea and Forgejo take the commands of GitHub. */
export function ciOutputOf(env: Readonly<Record<string, string | undefined>>): CiOutput {
  if (env['GITHUB_ACTIONS'] === 'true') return new GithubOutput(randomUUID());
  if (env['GITLAB_CI'] === 'true') return new GitlabOutput(() => Math.floor(Date.now() / 1000));
  return new PlainOutput();
}

const oneLine = (text: string): string => terminalText(text).replaceAll(/\s+/g, ' ').trim();

/** Workflow commands: those of others' lines are switched off with a token that they cannot know. */
export class GithubOutput implements CiOutput {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  open(title: string): string {
    return `::group::${oneLine(title)}\n::stop-commands::${this.#token}\n`;
  }

  lines(text: string): string {
    return `${terminalText(text)}\n`;
  }

  close(): string {
    return `::${this.#token}::\n::endgroup::\n`;
  }

  error(title: string, message: string, place: CiPlace | null): string {
    const properties = {
      ...(place === null ? {} : { file: place.path, line: String(place.line) }),
      title: oneLine(title),
    };
    const list = Object.entries(properties).map(([key, value]) => `${key}=${escapeProperty(value)}`);
    return `::error ${list.join(',')}::${escapeData(message)}\n`;
  }
}

const escapeData = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const escapeProperty = (text: string): string => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** Sections that fold. GitLab takes errors from the JUnit report. */
export class GitlabOutput implements CiOutput {
  readonly #nowSeconds: () => number;
  #sections = 0;

  constructor(nowSeconds: () => number) {
    this.#nowSeconds = nowSeconds;
  }

  open(title: string): string {
    this.#sections += 1;
    return `\u001b[0Ksection_start:${this.#nowSeconds()}:peerlab_${this.#sections}\r\u001b[0K${oneLine(title)}\n`;
  }

  lines(text: string): string {
    return `${terminalText(text)}\n`;
  }

  close(): string {
    return `\u001b[0Ksection_end:${this.#nowSeconds()}:peerlab_${this.#sections}\r\u001b[0K\n`;
  }

  error(title: string, message: string): string {
    return `${oneLine(title)}: ${oneLine(message)}\n`;
  }
}

/** Any other CI system. */
class PlainOutput implements CiOutput {
  open(title: string): string {
    return `== ${oneLine(title)}\n`;
  }

  lines(text: string): string {
    return `${terminalText(text)}\n`;
  }

  close(): string {
    return '';
  }

  error(title: string, message: string, place: CiPlace | null): string {
    return `${place === null ? '' : `${place.path}:${place.line}: `}${oneLine(title)}: ${oneLine(message)}\n`;
  }
}
