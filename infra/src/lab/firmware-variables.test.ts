import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { firmwareOf } from './definition.js';
import { LabError } from './errors.js';
import { readVariables, withTrustedCertificate } from './firmware-variables.js';
import { ensureSiteKey } from './keys.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerlab-firmware-'));
});
afterEach(async () => rm(folder, { recursive: true }));

/** EFI signature lists: the certificates in them. */
function certificates(data: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < data.length; at += data.readUInt32LE(at + 16)) {
    const [list, header, each] = [16, 20, 24].map((offset) => data.readUInt32LE(at + offset)) as [
      number,
      number,
      number,
    ];
    for (let entry = at + 28 + header; entry < at + list; entry += each)
      found.push(data.subarray(entry + 16, entry + each));
  }
  return found;
}

describe('the memory of the firmware', () => {
  const valid = (memory: Buffer, wanted: string): Buffer[] =>
    readVariables(memory).flatMap(({ name, state, data }) => (name === wanted && state === 0x3f ? [data] : []));

  test('trusts the lab beside those whom a server trusts, and is otherwise as Debian ships it', async () => {
    const memory = await readFile(firmwareOf({ image: '', secureBoot: true }).variables);
    const { certificate } = await ensureSiteKey(folder);
    const changed = withTrustedCertificate(memory, certificate);
    expect(changed).toHaveLength(memory.length);
    const [[before = Buffer.alloc(0)], after] = [valid(memory, 'db'), valid(changed, 'db')];
    expect(after).toHaveLength(1);
    expect(certificates(after[0] ?? Buffer.alloc(0))).toEqual([...certificates(before), certificate]);
    const vendors = certificates(before).map((raw) => new X509Certificate(raw).subject);
    expect(vendors.some((subject) => subject.includes('Microsoft Corporation UEFI CA'))).toBe(true);
    for (const name of ['PK', 'KEK', 'dbx', 'SecureBootEnable'])
      expect(valid(changed, name)).toEqual(valid(memory, name));
    const [last] = readVariables(memory).slice(-1);
    const differs = [...memory.subarray(0, last?.end).keys()].filter((at) => memory[at] !== changed[at]);
    expect(differs).toHaveLength(1);
  });

  test('without keys, or of another form, is refused', async () => {
    const { certificate } = await ensureSiteKey(folder);
    const empty = await readFile(firmwareOf({ image: '' }).variables);
    expect(() => withTrustedCertificate(empty, certificate)).toThrow('has no keys of Secure Boot');
    for (const other of [Buffer.alloc(10), Buffer.alloc(4096), Buffer.alloc(4096, 0xff)])
      expect(() => withTrustedCertificate(other, certificate)).toThrow(LabError);
  });
});

test('the key of the lab is its owner’s alone, and stays', async () => {
  const first = await ensureSiteKey(folder);
  expect((await stat(first.keyFile)).mode & 0o777).toBe(0o600);
  expect(new X509Certificate(await readFile(first.certificateFile)).raw).toEqual(first.certificate);
  expect((await ensureSiteKey(folder)).certificate).toEqual(first.certificate);
});
