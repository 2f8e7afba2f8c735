import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeLab, startFakeLab } from '../../fake/fake-lab.js';
import { script } from '../command.js';
import type { Session } from '../protocols.js';
import { createSshAccess } from './ssh.js';

let folder: string;
let lab: FakeLab;
let session: Session;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ssh-'));
  lab = await startFakeLab(folder);
  session = await lab.machine.access.connect({ timeoutMs: 5_000 });
});
afterEach(async () => {
  session.close();
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('SSH session', () => {
  it('never loses an exit status, however fast the command is', async () => {
    for (let i = 0; i < 60; i += 1) {
      const results = await Promise.all([session.exec(script('df', {}, '')), session.exec('true')]);
      expect(results.map((result) => result.code)).toEqual([0, 0]);
    }
  });

  it('takes so many bytes of a command, however small the pieces are', async () => {
    lab.fake.answers.set('df', (channel) => {
      for (let at = 0; at < 20_000; at += 1) channel.write('x');
      channel.writeError(Buffer.alloc(1000, 0xff));
      channel.exit(0);
    });
    const { stdout, stderr } = await session.exec(script('df', {}, ''));
    expect([stdout, stderr]).toEqual(['x'.repeat(20_000), '\ufffd'.repeat(1000)]);
    await expect(session.exec(script('df', {}, ''), { maxBytes: 20_999 })).rejects.toThrow(
      '"df" prints more than 20999 bytes',
    );
    lab.fake.answers.set('df', (channel) => {
      channel.write(Buffer.alloc(17 * 1024 * 1024));
    });
    await expect(session.exec(script('df', {}, ''))).rejects.toThrow('prints more than 16777216 bytes');
    expect((await session.exec('true')).code).toBe(0);
  });

  it('a script that takes too long is named by what it is for', async () => {
    lab.fake.answers.set('df', () => undefined);
    await expect(session.exec(script('df', { path: '/' }, 'df /'), { timeoutMs: 100 })).rejects.toThrow(
      /^"df" ran past 0\.1 s$/,
    );
  });

  it('gives a command that shows its progress the time that it takes, and none that falls silent', async () => {
    lab.fake.answers.set('df', (channel) => {
      let left = 6;
      const timer = setInterval(() => {
        channel.writeError('.');
        left -= 1;
        if (left > 0) return;
        clearInterval(timer);
        channel.exit(0);
      }, 200);
    });
    expect((await session.exec(script('df', {}, ''), { silenceMs: 800 })).stderr).toBe('......');
    lab.fake.answers.set('df', (channel) => channel.writeError('.'));
    await expect(session.exec(script('df', {}, ''), { silenceMs: 300 })).rejects.toMatchObject({
      kind: 'command-timeout',
      message: '"df" printed nothing for 300 ms',
    });
    expect((await session.exec('true')).code).toBe(0);
  });

  it('a listener that throws ends its own command alone', async () => {
    lab.fake.answers.set('df', (channel) => channel.write('one\ntwo\n'));
    const lines: string[] = [];
    const running = await session.start(script('df', {}, ''), {
      onStdoutLine: (line) => {
        lines.push(line);
        throw new Error('a bug');
      },
      onStderrLine: () => undefined,
    });
    const end = await running.ended;
    expect(end).toMatchObject({ code: null, lost: false });
    expect(end.fault?.message).toBe('what "df" printed could not be taken: a bug');
    expect(lines).toEqual(['one']);
    await running.writeLine('into nothing');
    expect((await session.exec('true')).code).toBe(0);
  });

  it('an answer that is no SFTP ends the connection, and what waits for it', async () => {
    const { work } = lab.assign();
    const local = join(await lab.bundles.fetch(work.bundle.sha256, work.manifest), 'vmlinuz');
    const options = { sha256: 'a'.repeat(64), sizeBytes: readFileSync(local).length, mode: 0o644 };
    lab.fake.onSftp = (request) => (request === 'OPEN' ? 'garbage' : true);
    await expect(session.upload(local, '/boot/x', options)).rejects.toThrow(/connection to .* was lost \(its SFTP/);
    expect(session.lost.aborted).toBe(true);
    session = await lab.machine.access.connect({ timeoutMs: 5_000 });
    expect((await session.exec('true')).code).toBe(0);
  });

  it('an interrupted upload goes on where it stopped; a part that differs is sent anew', async () => {
    const { work } = lab.assign();
    const local = join(await lab.bundles.fetch(work.bundle.sha256, work.manifest), 'vmlinuz');
    const kernel = readFileSync(local);
    const sha256 = work.manifest.files['vmlinuz']?.sha256 ?? '';
    const upload = () => session.upload(local, '/boot/x', { sha256, sizeBytes: kernel.length, mode: 0o644 });
    lab.fake.files.set('/boot/x.part', kernel.subarray(0, 300_000));
    expect(await upload()).toEqual({ resumedAtBytes: 300_000 });
    expect(lab.fake.files.get('/boot/x')?.equals(kernel)).toBe(true);
    lab.fake.files.set('/boot/x.part', Buffer.alloc(1000, 7));
    expect(await upload()).toEqual({ resumedAtBytes: 0 });
    expect(lab.fake.files.get('/boot/x')?.equals(kernel)).toBe(true);
    lab.fake.damageUploads = true;
    await expect(upload()).rejects.toThrow(/\/boot\/x arrived damaged: expected sha256/);
  });

  it('an upload ends with the connection, whatever it waits for', async () => {
    const { work } = lab.assign();
    const local = join(await lab.bundles.fetch(work.bundle.sha256, work.manifest), 'vmlinuz');
    const sha256 = work.manifest.files['vmlinuz']?.sha256 ?? '';
    const upload = (path: string) =>
      session.upload(local, path, { sha256, sizeBytes: readFileSync(local).length, mode: 0o644 });
    for (const waitsFor of ['STAT', 'OPEN', 'WRITE', 'CLOSE'] as const) {
      await upload('/boot/before');
      lab.fake.onSftp = (request) => {
        if (request !== waitsFor) return true;
        lab.fake.ssh.dropAll();
        return false;
      };
      await expect(upload('/boot/x'), waitsFor).rejects.toThrow('was lost');
      // With the channel gone nobody answers what is asked now.
      await expect(upload('/boot/y'), `after ${waitsFor}`).rejects.toThrow('was lost');
      lab.fake.onSftp = () => true;
      session = await lab.machine.access.connect({ timeoutMs: 5_000 });
    }
  });

  it('a command that is cut off by the end of the connection says so', async () => {
    const running = session.exec(script('kmsg-follow', {}, ''));
    lab.fake.goDown();
    await expect(running).rejects.toThrow(/the connection to root@127\.0\.0\.1:\d+ was lost/);
    expect(session.lost.aborted).toBe(true);
    await expect(session.exec('true')).rejects.toThrow('was lost');
  });

  it('a refused key is said with the remedy, a bad pin before anything is sent', async () => {
    const other = await startFakeLab(mkdtempSync(join(folder, 'other-')));
    const settings = { host: '127.0.0.1', port: lab.fake.ssh.port, user: 'root', hostKey: lab.fake.ssh.hostKey };
    const privateKeyFile = join(folder, 'stranger');
    writeFileSync(privateKeyFile, other.fake.ssh.clientKey.private);
    await expect(createSshAccess({ ...settings, privateKeyFile }).connect({ timeoutMs: 5_000 })).rejects.toMatchObject({
      kind: 'auth-refused',
      remedy: expect.stringContaining('authorized_keys'),
    });
    await other.fake.stop();
    expect(() => createSshAccess({ ...settings, privateKeyFile, hostKey: 'ssh-ed25519 AAAA' })).toThrow(
      'shell.hostKey',
    );
  });
});
