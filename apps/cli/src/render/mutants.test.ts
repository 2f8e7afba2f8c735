import type { BuildMutants, TriedMutant } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { mutantsMarkdown, mutantsText } from './mutants.js';

const mutant = (id: string, state: TriedMutant['state'], what = 'if (x) negated'): TriedMutant => ({
  number: 1,
  id,
  path: 'mm/hmm.c',
  line: 1119,
  kind: 'negate',
  function: 'walk',
  what,
  state,
  test: state === 'killed' ? 'p2p-functional:F01' : null,
  how: state === 'killed' ? 'it failed' : null,
  tests: 3,
  machine: null,
});
const RESULT: BuildMutants = {
  build: '00000000-0000-4000-8000-00000000b001',
  name: 'patched',
  score: 33,
  counts: { killed: 1, alive: 1, 'not-reached': 1, 'not-run': 2, 'not-built': 0, refused: 4 },
  total: 20,
  mutants: [mutant('aaaaaaaa', 'alive', 'a | `b`'), mutant('bbbbbbbb', 'not-reached'), mutant('cccccccc', 'killed')],
  attempts: [
    {
      attemptId: '00000000-0000-4000-8000-0000000000a1',
      role: 'main',
      machine: 'v-switch',
      tried: 3,
      killed: 1,
      isComplete: false,
    },
  ],
  without: [{ attemptId: '10000000-0000-4000-8000-0000000000a3', role: 'main', machine: null, why: 'no reason' }],
  isCut: false,
};

describe('mutants for people', () => {
  it('have a score, what it is of, and those that no test noticed', () => {
    const text = mutantsText(RESULT);
    expect(text).toContain('Score 33 %: of 3 mutants tried 1 were killed, 1 are alive, 1 were not reached.');
    expect(text).toContain('2 were not tried within the budget, the compiler refuses 4, 17 more could be made.');
    expect(text).toContain('Without attempt 10000000 on ?: no reason.');
    expect(text).toMatch(/^aaaaaaaa +mm\/hmm\.c:1119 +negate +a \| `b` +3$/m);
    expect(text).toContain('Not reached by any test:');
    expect(text).not.toContain('cccccccc');
  });

  it('say that none was tried', () => {
    expect(mutantsText({ ...RESULT, score: null, attempts: [], mutants: [] })).toContain('No mutant was tried yet.');
  });

  it('are Markdown that no text of a series can break out of', () => {
    expect(mutantsMarkdown(RESULT)).toContain("| aaaaaaaa | mm/hmm.c:1119 | negate | `a \\| 'b'` | 3 |");
  });
});
