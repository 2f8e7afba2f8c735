import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../exit-codes.js';
import { passedOn } from './machine.js';

const CLI = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerlab-machine-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** The built program, as a person runs it without a terminal. */
const peerlab = (...words: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...words], (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
    child.stdin?.end();
  });

describe('peerlab machine', () => {
  it('passes on what the agent’s program says, and how it ended', async () => {
    const absent = await peerlab('machine', 'check', 'm1', '--config', join(folder, 'absent.yaml'));
    expect(absent.code).toBe(EXIT.usage);
    expect(absent.err).toContain('absent.yaml: cannot be read (ENOENT)');
    const config = join(folder, 'agent.yaml');
    await writeFile(config, 'controller: http://127.0.0.1:1\ntokenFile: t\nname: a\nstateDir: s\ncacheDir: c\n');
    const unknown = await peerlab('machine', 'check', 'm1', '--config', config, '--json');
    expect(unknown).toMatchObject({ code: EXIT.usage, out: '' });
    expect(unknown.err).toContain('the config has no machine "m1"; it has none');
    const configured = await peerlab('machine', 'configure', 'm1', '--config', config, '--all-modules');
    expect(configured).toMatchObject({ code: EXIT.usage, out: '' });
    expect(configured.err).toContain('no machine is configured');
    const away = ['--host', '127.0.0.1', '--port', '1', '--key', join(folder, 'key')];
    const unreachable = await peerlab('machine', 'add', 'm1', '--config', config, ...away);
    expect(unreachable.code).toBe(EXIT.noStatement);
    expect(unreachable.err).toContain('127.0.0.1:1 does not answer by SSH');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'that is stopped by %s stops the agent’s program, and awaits its end',
    async (signal) => {
      // A machine that takes the connection and says nothing.
      const connections: Socket[] = [];
      const silent = createServer((socket) => connections.push(socket)).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      const config = join(folder, 'silent.yaml');
      await writeFile(config, 'controller: http://127.0.0.1:1\ntokenFile: t\nname: a\nstateDir: s\ncacheDir: c\n');
      const away = ['--config', config, '--host', '127.0.0.1', '--port', String(port), '--key', join(folder, 'key')];
      const child = spawn(process.execPath, [CLI, 'machine', 'add', 'm1', ...away], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const said: string[] = [];
      child.stderr.on('data', (text: Buffer) => said.push(text.toString()));
      await once(silent, 'connection');
      child.kill(signal);
      const [code] = (await once(child, 'close')) as [number | null];
      expect({ code, said: said.join('') }).toMatchObject({
        code: EXIT.noStatement,
        said: expect.stringContaining(`stopped by ${signal}`),
      });
      for (const socket of connections) socket.destroy();
      silent.close();
    },
  );

  it('passes on the options that were given, and no others', () => {
    expect(passedOn({ config: 'f', act: true, json: false, port: undefined })).toEqual(['--config', 'f', '--act']);
    expect(passedOn({ allModules: true })).toEqual(['--all-modules']);
  });
});
