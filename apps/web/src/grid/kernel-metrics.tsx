import { useQuery } from '@tanstack/react-query';
import { isVirtual, type BuildGrid, type KernelColumn } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { kernelMetricsQuery } from '../api/grid.js';
import { shortBuildId } from '../runs/evidence.js';
import { ErrorNotice } from '../ui/section.js';
import { alignMetrics, referenceKernel } from './kernel-model.js';
import type { MetricFrame } from './metrics.js';
import type { GridMetricRow } from './model.js';

interface KernelMetricsState {
  /** Values by column of the grid. */
  metrics: readonly GridMetricRow[];
  frame: MetricFrame;
  /** The column that the others are compared with; null while nothing was measured. */
  reference: number | null;
  /** The reference of the ratios, or why there is none; shown above the grid. */
  notice: ReactNode;
}

/** Metrics of the tests on the kernels of a grid. Fetched only while metrics are shown. */
export function useKernelMetrics(grid: BuildGrid, isWanted: boolean, before: string | undefined): KernelMetricsState {
  const { columns, combination } = grid;
  const hash = combination?.hash ?? '';
  const isOfVirtual = combination !== null && isVirtual(combination.identity);
  const { data, error, refetch } = useQuery({
    ...kernelMetricsQuery(hash, before),
    enabled: isWanted && combination !== null,
  });
  const metrics = useMemo(
    () => (isWanted && data !== undefined ? alignMetrics(columns, data) : []),
    [columns, data, isWanted],
  );
  // While the page changes, one of the two answers may arrive before the other.
  const isRead = data !== undefined && columns.some(({ key }) => data.kernels.includes(key));
  const reference = useMemo(() => referenceKernel(columns, metrics), [columns, metrics]);
  const frame = useMemo(
    (): MetricFrame => ({
      againstOf: () => (reference === null ? [] : [reference]),
      nameOf: (column) => kernelName(columns[column]),
      combinationOf: () => hash,
      isVirtual: isOfVirtual,
    }),
    [columns, reference, hash, isOfVirtual],
  );
  const of = reference === null ? undefined : columns[reference];
  let notice: ReactNode = null;
  if (isWanted && error !== null) notice = <ErrorNotice error={error} retry={() => void refetch()} />;
  else if (isWanted) {
    notice = (
      <p className="totals muted" role="status">
        {combination === null ? (
          'No metrics here: values of different hardware cannot be combined. Choose a combination to see its metrics.'
        ) : !isRead ? (
          'Reading the metrics…'
        ) : of === undefined ? (
          'The tests on these kernels have no metrics.'
        ) : (
          <>
            Medians, each against kernel <code title={of.buildId}>{shortBuildId(of.buildId)}</code> of{' '}
            <strong>{of.build.name}</strong>,{' '}
            {of.features.length > 0
              ? `the oldest kernel here, because all kernels with metrics have ${of.features.join(', ')}`
              : 'the newest kernel here without special features'}
            . Each kernel stands for one boot, so that no cell has a verdict: compare two builds for that.
          </>
        )}
      </p>
    );
  }
  return { metrics, frame, reference, notice };
}

const kernelName = (kernel: KernelColumn | undefined): string =>
  kernel === undefined ? '' : `kernel ${shortBuildId(kernel.buildId)} of ${kernel.build.name}`;
