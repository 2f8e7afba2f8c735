import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { RunDetail } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { runApi, runQuery } from '../api/runs.js';
import { WriteError } from '../ui/section.js';
import { exactText } from '../ui/time.js';

/**
 * Pins a run against retention, or unpins it. Shown as done at once, and undone when the controller refuses.
 */
export function PinButton({ run }: { run: RunDetail }): ReactNode {
  const queries = useQueryClient();
  const { queryKey } = runQuery(run.id);
  const change = useMutation({
    mutationFn: (pinned: boolean) => runApi.call('pinRun', { params: { run: run.id }, body: { pinned } }),
    onMutate: async (pinned) => {
      // An answer that is already on its way would restore the old state.
      await queries.cancelQueries({ queryKey });
      const before = queries.getQueryData(queryKey)?.pin ?? null;
      const pin: RunDetail['pin'] = pinned ? { by: 'you', reason: null, at: new Date().toISOString() } : null;
      queries.setQueryData(queryKey, (held) => held && { ...held, pin });
      return { before };
    },
    onError: (_error, _pinned, context) => {
      if (context !== undefined) queries.setQueryData(queryKey, (held) => held && { ...held, pin: context.before });
    },
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey }),
        queries.invalidateQueries({ queryKey: ['retention'] }),
        queries.invalidateQueries({ queryKey: ['retention-plan'], refetchType: 'none' }),
      ]),
  });
  const isPinned = run.pin !== null;
  return (
    <>
      <button
        type="button"
        className="pin"
        aria-pressed={isPinned}
        title={pinTitle(run.pin)}
        disabled={change.isPending}
        onClick={() => change.mutate(!isPinned)}
      >
        <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
          <path d="M6 2h4l-.5 4.5L12 9v1H4V9l2.5-2.5z" className={isPinned ? 'icon-full' : undefined} />
          <path d="M8 10v4.5" />
        </svg>
        Pin
      </button>
      <WriteError error={change.error} />
    </>
  );
}

function pinTitle(pin: RunDetail['pin']): string {
  const meaning = 'A pinned run keeps its logs, results and artifacts: retention removes none of them.';
  if (pin === null) return `${meaning} Click to pin it.`;
  const why = pin.reason === null ? '' : ` (${pin.reason})`;
  return `${meaning} Pinned by ${pin.by}, ${exactText(Date.parse(pin.at))}${why}. Click to unpin it.`;
}
