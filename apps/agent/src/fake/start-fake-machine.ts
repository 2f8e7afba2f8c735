import { runFakeCommand } from './fake-commands.js';
import { runFakeShell } from './fake-shell.js';
import { FakeMachine, type FakeSettings } from './fake-machine.js';
import { serveFakeFiles } from './fake-sftp.js';
import { FakeSshServer } from './fake-ssh-server.js';

/** A fake machine behind a real SSH server that listens. */
export async function startFakeMachine(settings: FakeSettings): Promise<FakeMachine> {
  const machine: FakeMachine = new FakeMachine(
    settings,
    new FakeSshServer({
      isUp: () => machine.running !== 'none',
      execute: (command, channel, connection) => void runFakeCommand(machine, command, channel, connection),
      serveFiles: (sftp, connection) => serveFakeFiles(machine, sftp, connection),
      shell: runFakeShell,
    }),
  );
  await machine.ssh.listen();
  return machine;
}
