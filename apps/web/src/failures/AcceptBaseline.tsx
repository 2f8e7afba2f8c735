import { useMutation, useQueryClient } from '@tanstack/react-query';
import { VERDICT_TABLE, type AttemptDetail, type Baseline } from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { failureApi } from '../api/failures.js';
import { countOf } from '../ui/numbers.js';
import { WriteError } from '../ui/section.js';
import { MarkDialog } from './MarkDialog.js';

/**
 * A button for each suite of an ended attempt in which something failed: its failures become known on every kernel of the
 * same base. The farm refuses that of a kernel with patches, and says so.
 */
export function AcceptBaseline({ attempt }: { attempt: Pick<AttemptDetail, 'id' | 'state' | 'results'> }): ReactNode {
  const queries = useQueryClient();
  const [suite, setSuite] = useState<string | null>(null);
  const accept = useMutation({
    mutationFn: (body: { suite: string; reason: string; until: string }): Promise<Baseline> =>
      failureApi.call('acceptBaseline', { params: { attempt: attempt.id }, body }),
    onSuccess: () =>
      Promise.all(['failure', 'run-failures', 'grid'].map((key) => queries.invalidateQueries({ queryKey: [key] }))),
  });
  const failed = new Map<string, number>();
  for (const { suite: name, verdict } of attempt.results) {
    if (VERDICT_TABLE[verdict].wrong) failed.set(name, (failed.get(name) ?? 0) + 1);
  }
  if (attempt.state !== 'ended' || failed.size === 0) return null;
  return (
    <details>
      <summary>Are these failures known of the base kernel?</summary>
      <p className="row">
        {[...failed].map(([name, count]) => (
          <button key={name} type="button" disabled={accept.isPending} onClick={() => setSuite(name)}>
            Accept {countOf(count, 'failure')} of {name} as its baseline
          </button>
        ))}
      </p>
      {accept.data !== undefined && (
        <p role="status">
          {countOf(accept.data.failures, 'failure')} of {accept.data.suite} {accept.data.failures === 1 ? 'is' : 'are'}{' '}
          known on Linux {accept.data.base.version} now.
        </p>
      )}
      <WriteError error={accept.error} />
      {suite !== null && (
        <MarkDialog
          title={`Accept the failures of ${suite} as its baseline?`}
          what={suite}
          onClose={() => setSuite(null)}
          onConfirm={(given) => accept.mutate({ suite, ...given })}
        >
          What fails in <strong>{suite}</strong> here counts as known on every kernel of the same base, with your name,
          in place of what was accepted before. Verdicts stay as they are.
        </MarkDialog>
      )}
    </details>
  );
}
