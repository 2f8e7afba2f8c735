import { spawn } from 'node:child_process';
import { cleanText } from '@peerlab/contracts';
import { endChild } from '@peerlab/runtime';
import { quote } from '../command.js';
import { type ConsoleSource, pour } from './source.js';

export interface ProgramSourceSettings {
  name: string;
  program: string;
  args: readonly string[];
  /** It wants a terminal: it is run by `script`. */
  terminal: boolean;
  /** The program is connected when it printed this; null = when it prints anything. */
  openMark: string | null;
  /** Typed, it has the program end its connection; without it, or where that does not end, it is sent SIGTERM. */
  farewell?: string;
}

/** Bytes of its end that say why it ended. */
const LAST_WORDS_BYTES = 400;
const WORDS_MAX = 200;
/** For a connection to end; a BMC takes a second. */
const FAREWELL_MS = 5_000;

/** A console that a program prints: a client of a console server, serial over LAN. Nothing is written to it but the farewell. */
export function programSource({
  name,
  program,
  args,
  terminal,
  openMark,
  farewell,
}: ProgramSourceSettings): ConsoleSource {
  return {
    name,
    read: ({ onOpen, onBytes }, signal) =>
      new Promise((resolve) => {
        const words = [program, ...args];
        const run = terminal ? ['script', '-qefc', `exec ${words.map(quote).join(' ')}`, '/dev/null'] : words;
        // It ends with the agent, however that ends: a session that is left open keeps everyone out.
        const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...run], {
          // `script` hands the end of its own input on as the end of the session: it gets a pipe that stays open.
          stdio: ['pipe', 'pipe', 'pipe'],
          detached: true,
          env: { PATH: process.env['PATH'], LC_ALL: 'C', TERM: 'dumb', HOME: '/nonexistent' },
        });
        let last = Buffer.alloc(0);
        const remember = (chunk: Buffer): void => {
          last = Buffer.concat([last, chunk]).subarray(-LAST_WORDS_BYTES);
        };
        let isOpen = false;
        let ending: NodeJS.Timeout | undefined;
        const onAbort = (): void => {
          if (farewell === undefined || !isOpen) return endChild(child);
          child.stdin.write(farewell);
          ending = setTimeout(() => endChild(child), FAREWELL_MS);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        if (signal.aborted) onAbort();
        child.stdin.on('error', () => undefined);
        pour(child.stdout, (chunk) => {
          remember(chunk);
          if (!isOpen && (openMark === null || last.includes(openMark))) {
            isOpen = true;
            onOpen();
          }
          // What a program says before it is connected, and as it takes its leave, is no console.
          return isOpen && ending === undefined ? onBytes(chunk) : null;
        });
        child.stderr.on('data', remember);
        let failure: Error | null = null;
        child.on('error', (error) => {
          failure = error;
          resolve(`${program} cannot be run: ${error.message}`);
        });
        child.on('close', (code, by) => {
          signal.removeEventListener('abort', onAbort);
          clearTimeout(ending);
          if (failure !== null) return;
          const words = cleanText(last.toString('utf8').trim().split('\n').slice(-2).join(' ').trim(), WORDS_MAX);
          resolve(`${program} ended (${by ?? code ?? 'unknown'})${words === '' ? '' : `: ${words}`}`);
        });
      }),
  };
}
