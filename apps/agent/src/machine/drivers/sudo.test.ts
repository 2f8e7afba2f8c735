import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Access } from '../protocols.js';
import { createSshAccess } from './ssh.js';

/** As sudo does, it takes -n and --, clears the environment, and refuses who is not listed. */
const SUDO = `#!/bin/sh
[ "$1" = -n ] && [ "$2" = -- ] || { echo "sudo: usage: $*" >&2; exit 1; }
shift 2
[ -e "$(dirname "$0")/sudoers" ] || { echo "sudo: a password is required" >&2; exit 1; }
exec env -i PATH="$PATH" BY_SUDO=yes "$@"
`;

let folder: string;
let server: ssh2.Server;
let access: Access;
let dropAll: () => void;

const makeKeys = (): { private: string; public: string } => ssh2.utils.generateKeyPairSync('ed25519');

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sudo-'));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/sudo'), SUDO, { mode: 0o755 });
  writeFileSync(join(folder, 'bin/sudoers'), '');
  const [host, client] = [makeKeys(), makeKeys()];
  writeFileSync(join(folder, 'key'), client.private, { mode: 0o600 });
  const env = {
    PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    SSH_CONNECTION: '10.0.0.1 50000 10.0.0.2 22',
  };
  server = new ssh2.Server({ hostKeys: [host.private] }, (connection) => {
    connection.on('error', () => undefined);
    dropAll = () => void connection.end();
    connection.on('authentication', (context) => context.accept());
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const channel = acceptExec();
        const child = spawn('/bin/sh', ['-c', command], { env });
        channel.pipe(child.stdin);
        child.stdin.on('error', () => undefined);
        child.stdout.pipe(channel, { end: false });
        child.stderr.pipe(channel.stderr, { end: false });
        child.on('close', (code) => {
          channel.exit(code ?? 255);
          channel.end();
        });
      });
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  access = createSshAccess({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    user: 'lab',
    sudo: true,
    privateKeyFile: join(folder, 'key'),
    hostKey: host.public,
  });
});
afterEach(async () => {
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  rmSync(folder, { recursive: true });
});

const connect = () => access.connect({ timeoutMs: 10_000 });

describe('an account that uses sudo', () => {
  it('runs every command by it, quotes and input as they are', async () => {
    const session = await connect();
    const { stdout, code } = await session.exec(
      `printf '%s|' "$BY_SUDO" "it's \\"so\\"" "$SSH_CONNECTION"; cat; exit 7`,
      {
        stdin: 'typed',
      },
    );
    expect([stdout, code]).toEqual([`yes|it's "so"|10.0.0.1 50000 10.0.0.2 22|typed`, 7]);
    const lines: string[] = [];
    const running = await session.start('read -r line; echo "$BY_SUDO $line"', {
      onStdoutLine: (line) => void lines.push(line),
      onStderrLine: () => undefined,
    });
    await running.writeLine('hello');
    expect(await running.ended).toMatchObject({ code: 0, lost: false });
    expect(lines).toEqual(['yes hello']);
    session.close();
  });

  it('that may not is refused with what to write where', async () => {
    rmSync(join(folder, 'bin/sudoers'));
    await expect(connect()).rejects.toMatchObject({
      kind: 'settings',
      message: expect.stringMatching(/: lab may not use sudo without a password: sudo: a password is required$/),
      remedy: expect.stringContaining('"lab ALL=(ALL) NOPASSWD: ALL" to /etc/sudoers.d/peerlab'),
    });
  });

  it('writes files by it, goes on where a part stopped, and notices a damaged one', async () => {
    const session = await connect();
    const content = randomBytes(3 * 1024 * 1024 + 17);
    const [local, remote] = [join(folder, 'local'), join(folder, "it's remote")];
    writeFileSync(local, content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    let asked = 0;
    const upload = (digest = sha256) =>
      session.upload(local, remote, {
        sha256: digest,
        sizeBytes: content.length,
        mode: 0o640,
        check: () => {
          asked += 1;
        },
      });
    expect(await upload()).toEqual({ resumedAtBytes: 0 });
    expect(readFileSync(remote).equals(content)).toBe(true);
    expect(statSync(remote).mode & 0o777).toBe(0o640);
    expect(asked).toBe(13);
    expect(existsSync(`${remote}.part`)).toBe(false);

    writeFileSync(`${remote}.part`, content.subarray(0, 1_000_000));
    expect(await upload()).toEqual({ resumedAtBytes: 1_000_000 });
    writeFileSync(`${remote}.part`, Buffer.alloc(1000, 7));
    expect(await upload()).toEqual({ resumedAtBytes: 0 });
    expect(readFileSync(remote).equals(content)).toBe(true);
    await expect(upload('0'.repeat(64))).rejects.toThrow(/arrived damaged/);
    session.close();
  });

  it('is told of a connection that breaks in the middle of a file', async () => {
    const session = await connect();
    const local = join(folder, 'local');
    const content = randomBytes(2_000_000);
    writeFileSync(local, content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    let asked = 0;
    const check = (): void => {
      asked += 1;
      if (asked === 2) dropAll();
    };
    const upload = session.upload(local, join(folder, 'x'), { sha256, sizeBytes: content.length, mode: 0o600, check });
    await expect(upload).rejects.toThrow('was lost');
    expect(existsSync(join(folder, 'x'))).toBe(false);
  });

  it('is told why a file cannot be written, and of a check that ends the upload', async () => {
    const session = await connect();
    const local = join(folder, 'local');
    const content = randomBytes(600_000);
    writeFileSync(local, content);
    const options = { sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: 600_000, mode: 0o600 };
    await expect(session.upload(local, join(folder, 'none/x'), options)).rejects.toThrow(
      /cannot write .*none\/x\.part: .*(nonexistent|No such file)/,
    );
    const check = (): void => {
      throw new Error('no longer ours');
    };
    await expect(session.upload(local, join(folder, 'x'), { ...options, check })).rejects.toThrow('no longer ours');
    expect(existsSync(join(folder, 'x'))).toBe(false);
    expect((await session.exec('echo up')).stdout).toBe('up\n');
    session.close();
  });
});
