import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundleManifest } from '@peerlab/contracts';
import type { Artifacts } from '../job/artifacts.js';
import { runTool } from '../job/system-tool.js';
import { tarEntry, tarFolder, tarOf } from './tar-bytes.js';

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** Modules as a build packs them, with noise for the one module. */
const fakeModules = (release: string, noise: Buffer): Buffer =>
  tarOf(
    tarFolder(`lib/modules/${release}`),
    tarEntry({ name: `lib/modules/${release}/modules.dep` }, 'peerlab_provider.ko:\n'),
    tarEntry({ name: `lib/modules/${release}/peerlab_provider.ko` }, noise),
  );

/** As little of an ELF-64 file as a build-id needs: a header, one section of notes, and the notes. */
export function elfWithBuildId(buildId: string): Buffer {
  const id = Buffer.from(buildId, 'hex');
  const note = Buffer.concat([Buffer.from([4, 0, 0, 0, id.length, 0, 0, 0, 3, 0, 0, 0]), Buffer.from('GNU\0'), id]);
  const header = Buffer.alloc(64);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]).copy(header);
  header.writeBigUInt64LE(64n, 0x28);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(1, 0x3c);
  const section = Buffer.alloc(64);
  section.writeUInt32LE(7, 4);
  section.writeBigUInt64LE(128n, 0x18);
  section.writeBigUInt64LE(BigInt(note.length), 0x20);
  return Buffer.concat([header, section, note]);
}

/** A bundle whose kernel and suites are noise; fake machines do not look into them. */
export async function makeFakeBundle(
  folder: string,
  suites: readonly { name: string; testTimeoutSeconds?: number; timeoutSeconds?: number; tests?: readonly string[] }[],
  modules: (release: string) => Buffer = (release) => fakeModules(release, randomBytes(5_000)),
  /** Files of the bundle beside what every one has, by name. */
  more: Readonly<Record<string, Buffer>> = {},
  /** What its manifest says otherwise. */
  manifestOf: Partial<BundleManifest> = {},
): Promise<{ manifest: BundleManifest; tar: string; sha256: string; sizeBytes: number }> {
  const root = join(folder, 'bundle');
  await mkdir(join(root, 'suites'), { recursive: true });
  const own = ['vmlinuz', 'modules.tar', ...suites.map((suite) => `suites/${suite.name}`)];
  const names = [...new Set([...own, ...Object.keys(more)])];
  const files: BundleManifest['files'] = {};
  const key = sha256(randomBytes(32));
  const release = `7.3.4-peerlab-${key.slice(0, 8)}`;
  for (const name of names) {
    const noise = (): Buffer => randomBytes(name === 'vmlinuz' ? 700_000 : 5_000);
    const bytes = more[name] ?? (name === 'modules.tar' ? modules(release) : noise());
    await writeFile(join(root, name), bytes);
    files[name] = { sha256: sha256(bytes), sizeBytes: bytes.length };
  }
  const manifest: BundleManifest = {
    schema: 1,
    key,
    release,
    buildId: sha256('build-id').slice(0, 40),
    base: { version: '7.3.4', sha256: sha256('base') },
    series: [],
    config: { name: 'peerlab', sha256: sha256('config') },
    toolchain: 'gcc 12',
    features: ['dma_alias'],
    modules: ['peerlab_provider'],
    binds: { peerlab_provider: 'provider' },
    suites: suites.map((suite) => ({
      name: suite.name,
      kind: 'functional',
      command: [`suites/${suite.name}`],
      timeoutSeconds: suite.timeoutSeconds ?? 30,
      testTimeoutSeconds: suite.testTimeoutSeconds ?? 10,
      tests: [...(suite.tests ?? [])],
    })),
    files,
    ...manifestOf,
  };
  await writeFile(join(root, 'manifest.json'), JSON.stringify(manifest));
  const tar = join(folder, 'bundle.tar');
  await runTool('tar', ['-cf', tar, '-C', root, 'manifest.json', ...names]);
  return { manifest, tar, sha256: sha256(await readFile(tar)), sizeBytes: (await stat(tar)).size };
}

/** An artifact store with one bundle in it; uploads are remembered. */
export function fakeArtifacts(
  bundle: { tar: string; sha256: string },
  /** Other files of the store, by digest. */
  others: ReadonlyMap<string, Buffer> = new Map(),
): Artifacts & { uploads: string[]; stored: Map<string, Buffer> } {
  const uploads: string[] = [];
  const stored = new Map<string, Buffer>();
  return {
    uploads,
    stored,
    async download(digest, path) {
      const other = others.get(digest);
      if (other !== undefined) return writeFile(path, other);
      if (digest !== bundle.sha256) throw new Error(`no artifact ${digest}`);
      await copyFile(bundle.tar, path);
    },
    async upload(digest, path) {
      uploads.push(digest);
      stored.set(digest, await readFile(path));
    },
    async findBundle() {
      return null;
    },
  };
}
