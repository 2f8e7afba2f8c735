import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { JobView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { runApi } from '../api/runs.js';
import { WriteError } from '../ui/section.js';

/** Starts a run of this job alone and opens it; asked twice, the controller answers with the run that it started. */
export function RetryJob({ job }: { job: Pick<JobView, 'id' | 'build' | 'machine'> }): ReactNode {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const retry = useMutation({
    mutationFn: () => runApi.call('retryJob', { params: { job: job.id } }),
    onSuccess: (run) => {
      void queries.invalidateQueries({ queryKey: ['runs'] });
      void navigate({ to: '/runs/$run', params: { run: run.id } });
    },
  });
  const where = job.machine === null ? '' : ` on ${job.machine}`;
  return (
    <>
      <button
        type="button"
        className="quiet"
        aria-label={`retry ${job.build}${where}`}
        title="Start a new run of this job alone"
        disabled={retry.isPending}
        onClick={() => retry.mutate()}
      >
        Retry
      </button>
      <WriteError error={retry.error} />
    </>
  );
}
