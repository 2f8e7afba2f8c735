import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SOLE_ROLE, type Assignment, type AttemptEvent, type SeriesSource } from '@peerlab/contracts';
import { makeToyKernel } from '../fake/toy-kernel.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import type { Artifacts } from '../job/artifacts.js';
import { type BuildSettings, type BuildWork, runBuildJob } from '../job/build-job.js';
import { BuildLimits } from '../job/build-limits.js';

/**
 * Limit of a test that builds in the sandbox, in milliseconds. One build starts a thousand processes: seconds on an
 * idle computer, half a minute where three other tests build beside it, and a test makes up to seven of them.
 */
export const BUILDS_MS = 600_000;

/** Everything about one build of the toy. */
export interface ToyBuild {
  events: AttemptEvent[];
  /** Lines of a stream. */
  log(stream: 'agent' | 'build'): string;
}

/** A builder on the toy kernel, with a store that remembers what it is given. */
export class ToyBuilder {
  readonly folder = mkdtempSync(join(tmpdir(), 'toy-'));
  readonly uploads = new Map<string, Buffer>();
  /** What the controller holds for downloads, by digest. */
  readonly downloads = new Map<string, string | Buffer>();
  readonly settings: BuildSettings;
  readonly stop = new AbortController();
  stored: Awaited<ReturnType<Artifacts['findBundle']>> = null;
  readonly #running = new Set<Promise<void>>();
  #attempts = 0;
  #removed = false;

  constructor(limits: Partial<BuildLimits> = {}) {
    const artifacts: Artifacts = {
      download: async (digest, path) => {
        const content = this.downloads.get(digest);
        if (content === undefined) throw new Error('nothing to download');
        writeFileSync(path, content);
      },
      upload: async (digest, path) => {
        this.uploads.set(digest, readFileSync(path));
      },
      findBundle: async () => this.stored,
    };
    this.settings = {
      ...makeToyKernel(this.folder),
      limits: BuildLimits.parse(limits),
      repositories: [],
      fetchLimits: { mirrorMiB: 1024, seconds: 60 },
      artifacts,
    };
  }

  /** Ends what it still builds, so that a test past its limit does not go on in the next one's time. */
  async remove(): Promise<void> {
    this.#removed = true;
    this.stop.abort();
    await Promise.allSettled(this.#running);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Builds once. @throws Error when the builder was removed before or meanwhile */
  async build(series: SeriesSource[], more: Partial<BuildWork> = {}): Promise<ToyBuild> {
    this.#refuseRemoved();
    const work: BuildWork = { kind: 'build', buildName: 'toy', series, config: 'peerlab', ...more };
    this.#attempts += 1;
    const attemptId = `b2f5c1de-6c3f-4b5c-9c38-${String(this.#attempts).padStart(12, '0')}`;
    const assignment: Assignment = {
      participantId: attemptId,
      attemptId,
      runId: attemptId,
      role: SOLE_ROLE,
      peers: [],
      fence: 1,
      work,
    };
    const spool = AttemptSpool.create(join(this.folder, 'spool'), assignment);
    try {
      const running = runBuildJob(this.settings, assignment, work, spool, this.stop.signal);
      this.#running.add(running);
      await running.finally(() => this.#running.delete(running));
      this.#refuseRemoved();
      const entries = spool.file('events').read(0, 1e6, 1e9);
      const texts = (stream: 'agent' | 'build'): string =>
        spool
          .file(stream)
          .read(0, 1e6, 1e9)
          .flatMap((entry) => ('text' in entry ? [entry.text] : []))
          .join('\n');
      const logs = { agent: texts('agent'), build: texts('build') };
      return {
        events: entries.flatMap((entry) => ('event' in entry ? [entry.event] : [])),
        log: (stream) => logs[stream],
      };
    } finally {
      spool.close();
    }
  }

  #refuseRemoved(): void {
    if (this.#removed) throw new Error('the builder of this test was removed');
  }
}

/** Processes on this machine that were called as `sleep SECONDS`, whatever namespace they are in. */
export function sleepers(seconds: string): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1') === `sleep\0${seconds}\0`;
    } catch {
      // No process, or one that ended meanwhile.
      return false;
    }
  }).length;
}
