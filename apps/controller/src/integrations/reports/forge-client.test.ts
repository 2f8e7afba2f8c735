import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync, verify } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeForge } from '../../testing/fake-forge.js';
import { appToken } from './forge-access.js';
import { ForgeClient, ForgeError } from './forge-client.js';
import { lineOf, quietMarkdown } from './forge-reporter.js';
import { placeOf } from './report-content.js';

const forges: FakeForge[] = [];
const start = async (tls: { key: string; cert: string } | null = null): Promise<FakeForge> => {
  const forge = await FakeForge.start(tls);
  forges.push(forge);
  return forge;
};
afterEach(async () => {
  for (const forge of forges.splice(0)) await forge.stop();
});
const failure = async (call: Promise<unknown>): Promise<ForgeError> => {
  const error: unknown = await call.catch((thrown: unknown) => thrown);
  if (!(error instanceof ForgeError)) throw new Error('it did not fail as a forge does');
  return error;
};

describe('a client of a forge', () => {
  it('stays below the address of the hooks file, whatever the names are', async () => {
    const forge = await start();
    const client = new ForgeClient(forge.api, null, {});
    await client.call('POST', ['repos', 'a/../..', 'x?y#z', 'statuses', 'abc'], {});
    expect(forge.requests[0]?.path).toBe('repos/a%2F..%2F../x%3Fy%23z/statuses/abc');
    for (const segment of ['..', '.', ''])
      await expect(client.call('GET', ['repos', segment])).rejects.toThrow(/segment/);
    expect(forge.requests).toHaveLength(1);
  });

  it('follows no redirect, neither to another host nor with its token', async () => {
    const [forge, other] = [await start(), await start()];
    forge.before = () => ({ status: 307, body: null, headers: { location: `http://127.0.0.1:${other.port}/` } });
    const error = await failure(new ForgeClient(forge.api, null, { authorization: 'secret' }).call('POST', ['x'], {}));
    expect(error.status).toBe(307);
    expect(other.requests).toEqual([]);
    expect(error.message).not.toContain('secret');
  });

  it('reads a bounded part of an answer, and says what the forge said in one short line', async () => {
    const forge = await start();
    forge.before = () => ({ status: 200, body: 'x'.repeat(3 * 1024 * 1024) });
    expect((await failure(new ForgeClient(forge.api, null, {}).call('GET', ['x']))).message).toContain('longer than');
    forge.before = () => ({ status: 422, body: { message: 'y'.repeat(5000) } });
    expect((await failure(new ForgeClient(forge.api, null, {}).call('GET', ['x']))).message.length).toBeLessThan(500);
  });

  it('keeps the pause that a forge asks for, within an hour', async () => {
    const forge = await start();
    const pause = async (headers: Record<string, string>): Promise<number | null> => {
      forge.before = () => ({ status: 403, body: {}, headers });
      return (await failure(new ForgeClient(forge.api, null, {}).call('GET', ['x']))).retryAfterSeconds;
    };
    expect(await pause({})).toBeNull();
    expect(await pause({ 'retry-after': '7' })).toBe(7);
    expect(await pause({ 'retry-after': '1e99' })).toBe(3600);
    expect(await pause({ 'retry-after': 'soon' })).toBeNull();
    const inAMinute = String(Math.floor(Date.now() / 1000) + 60);
    expect(await pause({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': inAMinute })).toBeGreaterThan(50);
    expect(await pause({ 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': inAMinute })).toBeNull();
  });

  it('trusts a certificate only when its authority is known', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tls-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...names],
      { stdio: 'ignore' },
    );
    const ca = readFileSync(cert, 'utf8');
    const forge = await start({ key: readFileSync(key, 'utf8'), cert: ca });
    rmSync(folder, { recursive: true });
    const api = new URL(`https://localhost:${forge.port}/api/v3/`);
    expect((await failure(new ForgeClient(api, null, {}).call('GET', ['x']))).message).toMatch(/self.signed/);
    expect(forge.requests).toEqual([]);
    await new ForgeClient(api, ca, {}).call('POST', ['repos', 'a', 'b', 'statuses', 'abc'], {});
    expect(forge.requests).toHaveLength(1);
  });
});

it('the token of an app is signed with its key, and ends soon', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const token = appToken(12, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 1_700_000_000);
  const [head = '', claims = '', signature = ''] = token.split('.');
  expect(verify('sha256', Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
  expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({
    iss: '12',
    iat: 1_699_999_970,
    exp: 1_700_000_540,
  });
});

it('a note neither notifies people nor gives commands', () => {
  expect(quietMarkdown('/close\n  /merge @alice\n> /approve\na/b')).toBe(
    '\\/close\n  \\/merge @\u200balice\n> \\/approve\na/b',
  );
  expect(lineOf('a\n b\u0000', 10)).toBe('a b\u0000');
  expect(lineOf('x'.repeat(20), 10)).toBe(`${'x'.repeat(9)}…`);
});

it('annotations stand in files of the tree', () => {
  const error = { class: 'compile', detail: 'expected ;' } as const;
  expect(placeOf({ ...error, file: './mm/hmm.c', line: 3 })).toEqual({
    path: 'mm/hmm.c',
    line: 3,
    message: 'expected ;',
  });
  expect(placeOf({ ...error, file: 'mm/hmm.c' })).toMatchObject({ line: 1 });
  for (const file of ['/usr/include/x.h', '../x.c', 'a/../../x.c', '', null])
    expect(placeOf({ ...error, file })).toBeNull();
  expect(placeOf({ class: 'infrastructure', detail: 'no space' })).toBeNull();
});
