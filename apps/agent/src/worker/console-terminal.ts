import type { Backpressure, Machine, TerminalChannel } from '../machine/protocols.js';

/** How much of the record is shown before what comes now, in bytes. */
const BEFORE_BYTES = 16 * 1024;

/** The console of a machine as its recorder has it: its last lines, then what comes. Nothing can be typed. */
export async function openConsoleTerminal(machine: Machine): Promise<TerminalChannel> {
  const { console } = machine;
  if (console === null) throw new Error(`${machine.name} has no console in its agent's configuration`);
  let handler: (data: Buffer) => void = () => undefined;
  let goOn: (() => void) | null = null;
  let paused: Promise<void> | null = null;
  const resume = (): void => {
    goOn?.();
    goOn = null;
    paused = null;
  };
  const backpressure: Backpressure = { wait: () => paused };
  const print = (text: string): void => handler(Buffer.from(text));
  let end: (how: string) => void = () => undefined;
  const ended = new Promise<string>((resolve) => (end = resolve));
  const now = await console.follow('end', { onLine: () => undefined });
  const { offsetBytes } = now;
  await now.stop();
  const begun: string[] = [];
  let begin = (line: string): void => void begun.push(line);
  const follower = await console.follow(Math.max(0, offsetBytes - BEFORE_BYTES), {
    backpressure,
    onLine: (line, continues) => begin(continues ? line : `\r\n${line}`),
    onSkipped: ({ lines }) => begin(`\r\n[${lines} lines were not read: the console was too fast]`),
    onGap: ({ fromBytes, toBytes }) => begin(`\r\n[bytes ${fromBytes} to ${toBytes - 1} of the record are missing]`),
    onFault: (fault) => end(`the console cannot be read: ${fault instanceof Error ? fault.message : String(fault)}`),
  });
  return {
    ended,
    onData: (given) => {
      handler = given;
      begin = print;
      for (const line of begun.splice(0)) print(line);
    },
    pause: () => {
      paused ??= new Promise((resolve) => (goOn = resolve));
    },
    resume,
    write: () => 0,
    resize: () => undefined,
    close: () => {
      resume();
      void follower.stop().then(() => end('it was closed'));
    },
  };
}
