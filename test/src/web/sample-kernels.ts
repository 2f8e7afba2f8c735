import { createHash } from 'node:crypto';
import {
  BuildGridQuery,
  bySeverity,
  KernelMetricsQuery,
  KernelResultsQuery,
  VERDICT_BY_LETTER,
  VERDICT_TABLE,
  type BuildGrid,
  type Combination,
  type Flakiness,
  type Grid,
  type KernelCursor,
  type KernelMetrics,
  type KernelResult,
  type RouteName,
} from '@peerlab/contracts';
import { sampleGrid } from './sample-grid.js';
import { Refusal } from './sample-refusal.js';
import type { SampleJob } from './sample-results.js';

/** A build name of the sample jobs as the kernel that it became. */
interface SampleKernel {
  name: string;
  key: string;
  builtAt: string;
}

const NEVER_RAN = '.';

/** Answers of the grid by kernel build, folded of the grid by combination of the same jobs. */
export class SampleKernels {
  private readonly grid: Grid;

  constructor(private readonly jobs: readonly SampleJob[]) {
    this.grid = sampleGrid(jobs);
  }

  /** Answers the routes that it knows; refuses the others with 404. */
  answer(name: RouteName, params: Record<string, string>, query: Record<string, string>): unknown {
    switch (name) {
      case 'getBuildGrid': {
        const { combination, before } = BuildGridQuery.parse(query);
        return this.buildGrid(combination ?? this.combinations()[0]?.hash, before);
      }
      case 'getKernelResults':
        return this.results(params['key'], KernelResultsQuery.parse(query));
      case 'getKernelMetrics':
        return this.metrics(KernelMetricsQuery.parse(query));
      case 'getFlakiness':
        return this.flakiness();
      default:
        throw new Refusal(404, 'not-found', `the sample kernels have no ${name}`);
    }
  }

  private buildGrid(choice: string | undefined, before: KernelCursor | undefined): BuildGrid {
    const kernels = this.kernels(before);
    const cells = kernels.map(({ name }) => this.columnsOf(name, choice));
    const differs: BuildGrid['differs'] = [];
    const rows = this.grid.rows.map((row, index) => {
      const letters = cells.map((columns, column) => {
        const said = columns
          .map((each) => row.verdicts[each] ?? NEVER_RAN)
          .flatMap((each) => VERDICT_BY_LETTER.get(each) ?? []);
        const [worst] = said.toSorted(bySeverity);
        const agree = said.filter((each) => each === worst).length;
        if (agree < said.length) differs.push([index, column, agree, said.length]);
        return worst === undefined ? NEVER_RAN : VERDICT_TABLE[worst].letter;
      });
      return { ...row, verdicts: letters.join('') };
    });
    return {
      combination: this.combinations().find(({ hash }) => hash === choice) ?? null,
      combinations: this.combinations(),
      columns: kernels.map(({ name, key, builtAt }) => this.column(name, key, builtAt)),
      older: { count: 0, before: null },
      newer: { count: this.kernels(undefined).length - kernels.length, before: null },
      rows,
      differs,
      notes: choice === 'all' ? [] : this.grid.notes.flatMap((note) => this.noteOf(note, cells)),
      pending: 0,
      generatedAt: new Date().toISOString(),
    };
  }

  private noteOf(note: Grid['notes'][number], cells: readonly number[][]): BuildGrid['notes'] {
    const column = cells.findIndex((columns) => columns.includes(note.column));
    return column < 0 ? [] : [{ ...note, column }];
  }

  private column(name: string, key: string, builtAt: string): BuildGrid['columns'][number] {
    const tested = this.grid.columns.filter(({ build }) => build.name === name);
    const [newest] = tested;
    if (newest === undefined) throw new Error(`${name} was tested nowhere`);
    const { build, runId, runName, at } = newest;
    return {
      key,
      build: { id: build.id, name },
      run: { id: runId, name: runName },
      release: build.release ?? '',
      baseVersion: '7.3.4',
      buildId: build.buildId ?? '',
      git: null,
      patches: name === 'base' ? 0 : 5,
      features: build.features ?? [],
      config: 'peerlab',
      builtAt,
      testedAt: at,
      combinations: tested.length,
      isCut: false,
    };
  }

  private results(key: string | undefined, { suite, test }: { suite: string; test: string }): KernelResult[] {
    const kernel = this.kernels(undefined).find((each) => each.key === key);
    const found = this.jobs.flatMap(({ job, attempt }): KernelResult[] => {
      const result = attempt.results.find((each) => each.suite === suite && each.test === test);
      if (result === undefined || job.build !== kernel?.name || attempt.combination === null) return [];
      const { verdict, reason, log } = result;
      const { id: attemptId, run, machine, combination } = attempt;
      return [{ combination, verdict, reason, log, attemptId, machine, run, at: attempt.endedAt ?? attempt.startedAt }];
    });
    return found.toSorted((a, b) => bySeverity(a.verdict, b.verdict));
  }

  private metrics({ combination, before }: { combination: string; before?: KernelCursor | undefined }): KernelMetrics {
    const kernels = this.kernels(before);
    const columns = kernels.map(({ name }) => this.columnsOf(name, combination)[0] ?? -1);
    return {
      kernels: kernels.map(({ key }) => key),
      metrics: this.grid.metrics.map((row) => ({
        ...row,
        values: columns.map((column) => row.values[column] ?? null),
      })),
    };
  }

  private flakiness(): Flakiness {
    const tests = this.grid.rows.map(({ suite, test }) => ({ suite, test, flips: 0, chances: 2 }));
    return { tests, attempts: this.jobs.length, pending: 0 };
  }

  /** Newest first; with a cursor those that are older. */
  private kernels(before: KernelCursor | undefined): SampleKernel[] {
    const names = [...new Set(this.grid.columns.map(({ build }) => build.name))].toReversed();
    return names
      .map((name, age) => ({
        name,
        key: createHash('sha256').update(`key ${name}`).digest('hex'),
        builtAt: new Date(Date.parse('2026-11-01T12:00:00Z') - age * 3_600_000).toISOString(),
      }))
      .filter(({ builtAt }) => before === undefined || builtAt < before.at);
  }

  /** Columns of the grid by combination that speak for the kernel. */
  private columnsOf(name: string, choice: string | undefined): number[] {
    return this.grid.columns.flatMap(({ build, combination }, column) =>
      build.name === name && (choice === 'all' || combination.hash === choice) ? [column] : [],
    );
  }

  private combinations(): Combination[] {
    const byHash = new Map(this.grid.columns.map(({ combination }) => [combination.hash, combination]));
    return [...byHash.values()].toSorted((a, b) => (a.label < b.label ? -1 : 1));
  }
}
