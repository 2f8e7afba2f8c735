import { BuildCoverage, BuildMutants, parsePatch, type TriedMutant } from '@peerlab/contracts';

/** A kernel that counts which lines of its series run: in no list, so that pictures of lists stay. */
export const COUNTED_BUILD = '00000000-0000-4000-8000-00000000b005';

const DIFF = `--- a/mm/hmm.c
+++ b/mm/hmm.c
@@ -10,3 +10,8 @@ int hmm_walk(struct hmm_range *range)
 {
-	return 0;
+	if (range->dma_dev)
+		return hmm_peer(range);
+	/* nobody asked */
+	if (WARN_ON(<script>window.planted=1</script>))
+		return -EINVAL;
+	return 0;
 }
--- /dev/null
+++ b/drivers/gpu/drm/xe/xe_peer.c
@@ -0,0 +1,2 @@
+int peer;
+int other;
`;
/** By number of the line in mm/hmm.c: how many attempts ran it. */
const RAN: Readonly<Record<number, number>> = { 11: 2, 12: 1, 14: 2, 15: 0, 16: 2 };

/** What two attempts counted, while a third one was not proven. */
export function sampleCoverage(): BuildCoverage {
  const files = parsePatch(DIFF).files.map(({ path, added, hunks }) => {
    const isBuilt = path === 'mm/hmm.c';
    return {
      path,
      isBuilt,
      added: isBuilt ? added : 0,
      code: isBuilt ? 5 : 0,
      ran: isBuilt ? 4 : 0,
      notBuilt: isBuilt ? 0 : added,
      hunks: hunks.map((hunk) => {
        let number = hunk.newStart;
        return {
          ...hunk,
          lines: hunk.lines.map((line) => {
            const at = number;
            if (line.kind !== '-') number += 1;
            const ran = isBuilt && line.kind === '+' ? RAN[at] : undefined;
            return ran === undefined ? line : { ...line, ran };
          }),
        };
      }),
    };
  });
  const attempt = (last: number) => `00000000-0000-4000-8000-0000000000${String(last).padStart(2, '0')}`;
  return BuildCoverage.parse({
    build: COUNTED_BUILD,
    name: 'counted',
    files,
    totals: { added: 6, code: 5, ran: 4, notBuilt: 2 },
    attempts: [
      { attemptId: attempt(1), role: 'main', machine: 'v-switch', code: 5, ran: 4 },
      { attemptId: attempt(2), role: 'main', machine: 'v-amd-roots', code: 5, ran: 3 },
    ],
    without: [{ attemptId: attempt(3), role: 'main', machine: 'v-roots', why: 'this kernel was not proven to run' }],
    isCut: false,
    isDiffCut: false,
  });
}

/** A kernel that carries mutants of its series: in no list either. */
export const MUTANTS_BUILD = '00000000-0000-4000-8000-00000000b006';

/** One of each state that people ask about. */
export function sampleMutants(): BuildMutants {
  const mutant = (number: number, state: TriedMutant['state'], what: string): TriedMutant => ({
    number,
    id: String(number).padStart(8, '0'),
    path: 'mm/hmm.c',
    line: 100 + number,
    kind: 'negate',
    function: 'hmm_walk',
    what,
    state,
    test: state === 'killed' ? 'p2p-functional:F01.alias_returned' : null,
    how: state === 'killed' ? 'FAILED tests_dma.c:50: data differs' : null,
    tests: state === 'alive' ? 12 : 0,
    machine: state === 'killed' ? 'v-switch' : null,
  });
  return BuildMutants.parse({
    build: MUTANTS_BUILD,
    name: 'mutants',
    score: 50,
    counts: { killed: 2, alive: 1, 'not-reached': 1, 'not-run': 0, 'not-built': 0, refused: 1 },
    total: 9,
    mutants: [
      mutant(1, 'alive', 'if (<img src=x onerror="window.planted=1">) negated'),
      mutant(2, 'not-reached', 'without put_page(page)'),
      mutant(3, 'killed', 'return 0 instead of -EINVAL'),
      mutant(4, 'killed', 'i <= count'),
      mutant(5, 'refused', 'arguments exchanged'),
    ],
    attempts: [
      {
        attemptId: '00000000-0000-4000-8000-000000000001',
        role: 'main',
        machine: 'v-switch',
        tried: 4,
        killed: 2,
        isComplete: true,
      },
    ],
    without: [],
    isCut: false,
  });
}
