import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSiteKey } from '../testing/site-key.js';
import { oid, pieces } from './der.js';
import { ImageError, openSigner, type SigningSettings, withoutSignature } from './index.js';
import { toyImage } from './toy-image.js';

let folder: string;
let site: SigningSettings;
let other: SigningSettings;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-signing-'));
  site = makeSiteKey(folder);
  other = makeSiteKey(folder, 'other');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What Debian's sbverify, which is none of ours, says of an image. */
function sbverify(image: Buffer, { certificateFile }: SigningSettings): boolean {
  const file = join(folder, 'image');
  writeFileSync(file, image);
  try {
    execFileSync('sbverify', ['--cert', certificateFile, file], { stdio: 'pipe' });
    return true;
  } catch (error) {
    expect((error as { status: number | null }).status).toBe(1);
    return false;
  }
}

describe('a signed image', () => {
  it.each([
    [[512], 0],
    [[512, 1000], 3],
    [[1024, 0, 16], 0],
    [[512, 512, 512, 7], 1],
  ])('is taken by another program with this certificate and with no other one: sections %j', (sections, tail) => {
    const image = toyImage(sections, tail);
    const signed = openSigner(site).sign(image);
    expect(sbverify(signed, site)).toBe(true);
    expect(sbverify(signed, other)).toBe(false);
    expect(sbverify(image, site)).toBe(false);
  });

  it('is the image, but for its checksum and the place of the signature, and is the same each time', () => {
    const image = toyImage([512, 1000], 3);
    const signed = openSigner(site).sign(image);
    const differs = [...image.keys()].filter((at) => image[at] !== signed[at]);
    const optionalAt = 0x80 + 24;
    const own = [...Array(4).keys()]
      .map((n) => optionalAt + 64 + n)
      .concat([...Array(8).keys()].map((n) => optionalAt + 144 + n));
    expect(differs.filter((at) => !own.includes(at))).toEqual([]);
    expect(openSigner(site).sign(image).equals(signed)).toBe(true);
    expect(() => openSigner(site).sign(signed)).toThrow('it has a signature already');
  });

  it('can be taken off again, and another one put in its place', () => {
    const image = toyImage([512, 1024], 0);
    image.writeUInt32LE(0, 0x80 + 24 + 64);
    const vendors = openSigner(other).sign(image);
    expect(withoutSignature(vendors).equals(image)).toBe(true);
    expect(withoutSignature(image).equals(image)).toBe(true);
    expect(openSigner(site).sign(withoutSignature(vendors)).equals(openSigner(site).sign(image))).toBe(true);
    expect(() => withoutSignature(Buffer.concat([vendors, Buffer.alloc(8)]))).toThrow('is not at its end');
    expect(() => withoutSignature(Buffer.from('MZ'))).toThrow('its header is cut off');
  });

  it('is not taken any more with one bit changed', () => {
    const signed = openSigner(site).sign(toyImage());
    for (const at of [0x200, 0x3ff, 0x7e0, signed.length - 300]) {
      const changed = Buffer.from(signed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(sbverify(changed, site), `byte ${at}`).toBe(false);
    }
  });

  it('comes of every image that lies one part after the other, and of no other one; nothing else is thrown', () => {
    const signer = openSigner(site);
    const whole = toyImage();
    fc.assert(
      fc.property(
        fc.nat(whole.length),
        fc.array(fc.tuple(fc.nat(0x1ff), fc.nat(255)), { maxLength: 3 }),
        (length, changes) => {
          const image = Buffer.from(whole.subarray(0, length));
          for (const [at, value] of changes) if (at < length) image.writeUInt8(value, at);
          try {
            expect(signer.sign(image).length).toBeGreaterThan(image.length);
          } catch (error) {
            expect(error).toBeInstanceOf(ImageError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    ['no EFI application', (image: Buffer) => image.write('ELF')],
    ['another processor', (image: Buffer) => image.writeUInt16LE(0xaa64, 0x84)],
    ['one after the other', (image: Buffer) => image.writeUInt32LE(0x208, 0x80 + 24 + 160 + 20)],
    ['cut off', (image: Buffer) => image.writeUInt32LE(0xfffff, 0x80 + 24 + 160 + 40 + 16)],
    ['outside of its header', (image: Buffer) => image.writeUInt16LE(90, 0x86)],
    ['has 0 sections', (image: Buffer) => image.writeUInt16LE(0, 0x86)],
    ['no room for a signature', (image: Buffer) => image.writeUInt32LE(4, 0x80 + 24 + 108)],
  ])('is refused for what it is: %s', (words, damage) => {
    const image = toyImage();
    damage(image);
    expect(() => openSigner(site).sign(image)).toThrow(words);
  });
});

describe('the key of a site', () => {
  const why = (settings: SigningSettings): string => {
    try {
      openSigner(settings);
    } catch (error) {
      return (error as { advice: string }).advice;
    }
    return 'taken';
  };

  it('is refused when others may read it, when it is another one, and when it is none', () => {
    chmodSync(site.keyFile, 0o640);
    expect(why(site)).toBe(`signing: ${site.keyFile} is open to other accounts; chmod 600 ${site.keyFile}`);
    chmodSync(site.keyFile, 0o600);
    expect(why({ ...site, keyFile: other.keyFile })).toContain(`is not the key of ${site.certificateFile}`);
    expect(why({ ...site, certificateFile: site.keyFile })).toContain('is no X.509 certificate');
    expect(why({ ...site, keyFile: join(folder, 'absent') })).toContain('cannot be read (ENOENT)');
    writeFileSync(join(folder, 'large'), Buffer.alloc(70_000), { mode: 0o600 });
    expect(why({ ...site, keyFile: join(folder, 'large') })).toContain('is larger than 65536 bytes');
    expect(why(site)).toBe('taken');
  });

  it('is of a kind that firmware takes', () => {
    expect(why(makeSiteKey(folder, 'short', ['-newkey', 'rsa:1024']))).toContain('has an RSA key of 1024 bits');
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    expect(why(makeSiteKey(folder, 'curve', curve))).toContain('has a key of type ec');
    const modules = ['-addext', 'extendedKeyUsage=1.3.6.1.4.1.2312.16.1.2'];
    expect(why(makeSiteKey(folder, 'modules', modules))).toContain('is for modules alone');
  });

  it('is in no message', () => {
    const text = readFileSync(site.keyFile, 'utf8');
    const damaged = join(folder, 'damaged.key');
    writeFileSync(damaged, text.replace('MII', 'MIJ'), { mode: 0o600 });
    const message = why({ ...site, keyFile: damaged });
    expect(message).toContain('is no private key');
    for (const line of text.split('\n').slice(1, -2)) expect(message).not.toContain(line);
  });

  it('may be exchanged while the agent runs, and is read with the same care', () => {
    const pair = makeSiteKey(folder, 'changing');
    const signer = openSigner(pair);
    writeFileSync(pair.keyFile, readFileSync(other.keyFile));
    expect(() => signer.sign(toyImage())).toThrow('is not the key of');
  });
});

it('DER is taken apart as openssl wrote it, and never read beyond its end', () => {
  expect(oid('1.2.840.113549.1.7.2').toString('hex')).toBe('06092a864886f70d010702');
  const pem = readFileSync(site.certificateFile, 'utf8').replace(/-----[A-Z ]+-----|\n/g, '');
  const [certificate] = pieces(Buffer.from(pem, 'base64'));
  expect(pieces(certificate?.content ?? Buffer.alloc(0))).toHaveLength(3);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        const length = pieces(Buffer.from(bytes)).reduce((sum, { whole }) => sum + whole.length, 0);
        expect(length).toBe(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
  );
});
