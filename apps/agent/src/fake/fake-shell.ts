import type { TerminalSize } from '@peerlab/contracts';
import type { ServerChannel } from 'ssh2';

/**
 * A login shell on script behind a terminal: it echoes what is typed and runs it at the end of a line. `exit N` ends it,
 * `flood N` prints N bytes, `size` says how large the terminal is, `print JSON` prints a string with any control characters,
 * `password` reads a line without echo, `deaf` reads nothing more, anything else is named.
 */
export function runFakeShell(channel: ServerChannel, size: () => TerminalSize): void {
  let line = '';
  let isSecret = false;
  const print = (text: string): void => void channel.write(text);
  const prompt = (): void => print('fake# ');
  const run = async (command: string): Promise<void> => {
    const [word = '', argument = ''] = command.trim().split(' ');
    if (isSecret) {
      isSecret = false;
      print(`a secret of ${command.length} characters\r\n`);
    } else if (word === 'exit') {
      channel.exit(Number(argument));
      channel.end();
      return;
    } else if (word === 'flood') {
      const piece = Buffer.alloc(8192, 'x');
      for (let left = Number(argument); left > 0; left -= piece.length) {
        if (!channel.write(piece.subarray(0, left))) await new Promise((resolve) => channel.once('drain', resolve));
      }
      print('\r\nflooded\r\n');
    } else if (word === 'size') {
      print(`${size().columns} x ${size().rows}\r\n`);
    } else if (word === 'print') {
      print(`${String(JSON.parse(argument))}\r\n`);
    } else if (word === 'password') {
      print('Password: ');
      isSecret = true;
      return;
    } else if (word === 'deaf') {
      channel.pause();
    } else if (word !== '') {
      print(`ran: ${command}\r\n`);
    }
    prompt();
  };
  prompt();
  channel.on('error', () => undefined);
  channel.on('data', (data: Buffer) => {
    for (const key of data.toString()) {
      if (key === '\u0004') return void run('exit 0');
      if (key !== '\r' && key !== '\n') {
        line += key;
        if (!isSecret) print(key);
        continue;
      }
      print('\r\n');
      void run(line);
      line = '';
    }
  });
}
