import type { AttemptDetail, BundleManifest, LogStream } from '@peerlab/contracts';

/** A file of a kernel bundle that can be downloaded. */
export interface KernelFile {
  path: string;
  /** What it is, in words. */
  what: string;
  sizeBytes: number;
  sha256: string;
}

/** A log that can be downloaded as text. */
export interface LogFile {
  stream: LogStream;
  what: string;
  lines: number;
  /** Estimated; 0 once it was removed. */
  sizeBytes: number;
  /** When retention removed it. */
  removedAt: string | null;
}

/** The files of a kernel itself, in the order in which people ask for them. */
const KERNEL: readonly (readonly [path: string, what: string])[] = [
  ['config', 'configuration that the kernel was built with'],
  ['System.map', 'addresses of its symbols'],
  ['vmlinuz', 'the kernel as it is booted'],
  ['modules.tar', 'its modules'],
  ['devel.tar.gz', 'what drivers from outside of the tree are built against'],
];

const LOGS: Readonly<Record<LogStream, string>> = {
  serial: 'serial console',
  kernel: 'kernel log (dmesg)',
  test: 'output of the tests',
  agent: 'what the agent did',
  build: 'output of the build',
};

/** The files that a bundle lists: those of the kernel first, and those that its test suites bring, by path. */
export function filesOfBundle({ files }: Pick<BundleManifest, 'files'>): {
  kernel: KernelFile[];
  suites: KernelFile[];
} {
  const kernel = KERNEL.flatMap(([path, what]) => {
    const file = Object.hasOwn(files, path) ? files[path] : undefined;
    return file === undefined ? [] : [{ path, what, ...file }];
  });
  const own = new Set(KERNEL.map(([path]) => path));
  const suites = Object.entries(files)
    .filter(([path]) => !own.has(path))
    .map(([path, file]) => ({ path, what: 'test suite', ...file }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return { kernel, suites };
}

/** The logs of an attempt that have lines or had some, in the given order. */
export function logFiles(streams: AttemptDetail['streams']): LogFile[] {
  return streams
    .filter(({ lines, removedAt }) => lines > 0 || removedAt !== null)
    .map(({ stream, lines, bytes, removedAt }) => ({ stream, what: LOGS[stream], lines, sizeBytes: bytes, removedAt }));
}

/** The name under which a file of a bundle is saved: without its folders. */
export const fileNameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
