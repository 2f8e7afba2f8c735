import {
  type AttemptDetail,
  type BundleManifest,
  GCOV_NOTES_FILE,
  type LogStream,
  MUTANTS_FILE,
  SERIES_DIFF_FILE,
} from '@peerlab/contracts';

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
  ['sources.gz', 'where its functions are in the source'],
  [SERIES_DIFF_FILE, 'what its series changes'],
  [GCOV_NOTES_FILE, 'what the compiler noted of its lines'],
  [MUTANTS_FILE, 'the mutants that it carries'],
];
const DEBUG_FOLDER = 'debug/';
const SUITES_FOLDER = 'suites/';

const LOGS: Readonly<Record<LogStream, string>> = {
  serial: 'serial console',
  kernel: 'kernel log (dmesg)',
  test: 'output of the tests',
  agent: 'what the agent did',
  build: 'output of the build',
};

/** The files that a bundle lists: those of the kernel first, its debug information last, and those that its test suites bring, by path. */
export function filesOfBundle({ files }: Pick<BundleManifest, 'files'>): {
  kernel: KernelFile[];
  suites: KernelFile[];
} {
  const kernel = KERNEL.flatMap(([path, what]) => {
    const file = Object.hasOwn(files, path) ? files[path] : undefined;
    return file === undefined ? [] : [{ path, what, ...file }];
  });
  const below = (folder: string, what: string): KernelFile[] =>
    Object.entries(files)
      .filter(([path]) => path.startsWith(folder))
      .map(([path, file]) => ({ path, what, ...file }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const suites = below(SUITES_FOLDER, 'test suite');
  kernel.push(...below(DEBUG_FOLDER, 'debug information'));
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
