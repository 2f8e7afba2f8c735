import ssh2 from 'ssh2';
import type { SFTPWrapper } from 'ssh2';
import type { FakeMachine } from './fake-machine.js';
import type { FakeConnection } from './fake-ssh-server.js';

const { STATUS_CODE } = ssh2.utils.sftp;

/** SFTP over the fake machine's files. A full disk fails writes the way OpenSSH says it. */
export function serveFakeFiles(machine: FakeMachine, sftp: SFTPWrapper, connection: FakeConnection): void {
  const handles = new Map<string, string>();
  let count = 0;
  const allows = (request: Parameters<FakeMachine['onSftp']>[0]): boolean => {
    const allowed = machine.onSftp(request);
    if (allowed !== 'garbage') return allowed;
    // A packet of one byte, of a type that does not exist. The library has no way to send one.
    const raw = sftp as unknown as {
      outgoing: { id: number };
      _protocol: { channelData(id: number, data: Buffer): void };
    };
    raw._protocol.channelData(raw.outgoing.id, Buffer.from([0, 0, 0, 1, 0xff]));
    return false;
  };
  const attributes = (path: string) => ({
    mode: 0o100600,
    uid: 0,
    gid: 0,
    size: machine.files.get(path)?.length ?? 0,
    atime: 0,
    mtime: 0,
  });
  sftp.on('OPEN', (id, path, flags) => {
    if (!allows('OPEN')) return;
    const truncate = (flags & ssh2.utils.sftp.OPEN_MODE.TRUNC) !== 0;
    if (truncate || !machine.files.has(path)) machine.files.set(path, Buffer.alloc(0));
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(count++);
    handles.set(handle.toString('hex'), path);
    sftp.handle(id, handle);
  });
  sftp.on('WRITE', (id, handle, offset, data) => {
    if (!allows('WRITE')) return;
    const path = handles.get(handle.toString('hex')) ?? '';
    const old = machine.files.get(path) ?? Buffer.alloc(0);
    if (data.length > machine.freeBytes) {
      sftp.status(id, STATUS_CODE.FAILURE);
      return;
    }
    const next = Buffer.alloc(Math.max(old.length, offset + data.length));
    old.copy(next);
    data.copy(next, offset);
    if (machine.damageUploads) next[offset] = (next[offset] ?? 0) ^ 1;
    machine.freeBytes -= next.length - old.length;
    machine.files.set(path, next);
    machine.onEvent({ type: 'upload', path, bytes: data.length, fence: connection.fence });
    sftp.status(id, STATUS_CODE.OK);
  });
  sftp.on('STAT', (id, path) => {
    if (!allows('STAT')) return;
    if (machine.files.has(path)) sftp.attrs(id, attributes(path));
    else sftp.status(id, STATUS_CODE.NO_SUCH_FILE);
  });
  sftp.on('CLOSE', (id) => {
    if (!allows('CLOSE')) return;
    sftp.status(id, STATUS_CODE.OK);
  });
}
