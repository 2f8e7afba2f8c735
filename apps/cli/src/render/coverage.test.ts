import type { BuildCoverage } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { coverageMarkdown, coverageText } from './coverage.js';

const COVERAGE: BuildCoverage = {
  build: '00000000-0000-4000-8000-00000000b001',
  name: 'patched',
  files: [
    {
      path: 'mm/hmm.c',
      isBuilt: true,
      added: 4,
      code: 3,
      ran: 2,
      notBuilt: 0,
      hunks: [
        {
          oldStart: 10,
          newStart: 10,
          context: '',
          lines: [
            { kind: ' ', text: '{' },
            { kind: '-', text: '\treturn 0;' },
            { kind: '+', text: '\tif (x | `y`)', ran: 2 },
            { kind: '+', text: '\t\treturn a | `b`;', ran: 0 },
            { kind: '+', text: '\t/* why */' },
            { kind: '+', text: '\treturn 2;', ran: 1 },
          ],
        },
      ],
    },
    { path: 'drivers/x|y.c', isBuilt: false, added: 0, code: 0, ran: 0, notBuilt: 7, hunks: [] },
  ],
  totals: { added: 4, code: 3, ran: 2, notBuilt: 7 },
  attempts: [
    { attemptId: '00000000-0000-4000-8000-0000000000a1', role: 'main', machine: 'v-switch', code: 3, ran: 2 },
    { attemptId: '00000000-0000-4000-8000-0000000000a2', role: 'main', machine: 'v-amd', code: 3, ran: 1 },
  ],
  without: [
    {
      attemptId: '10000000-0000-4000-8000-0000000000a3',
      role: 'main',
      machine: 'v-roots',
      why: 'this kernel was not proven to run',
    },
  ],
  isCut: false,
  isDiffCut: false,
};

describe('coverage for people', () => {
  it('has figures by file, what they are of, and the lines that did not run with their numbers', () => {
    const text = coverageText(COVERAGE);
    expect(text).toContain('Added up over 2 attempts on v-amd, v-switch.');
    expect(text).toContain('Without attempt 10000000 on v-roots: this kernel was not proven to run.');
    expect(text).toMatch(/^mm\/hmm\.c +4 +3 +2 +67 %$/m);
    expect(text).toMatch(/^drivers\/x\|y\.c +7 +not built$/m);
    expect(text).toContain('mm/hmm.c\n    12: \t\treturn a | `b`;');
    expect(text).not.toContain('return 2;');
  });

  it('says that nothing was counted yet', () => {
    const none = {
      ...COVERAGE,
      files: [],
      attempts: [],
      without: [],
      totals: { added: 0, code: 0, ran: 0, notBuilt: 0 },
    };
    expect(coverageText(none)).toContain('No attempt has counted anything yet.');
    expect(coverageMarkdown(none)).not.toContain('|');
  });

  it('is Markdown that no text of a series can break out of', () => {
    const text = coverageMarkdown(COVERAGE);
    expect(text).toContain('| mm/hmm.c | 4 | 3 | 2 | 67 % |');
    expect(text).toContain('| drivers/x\\|y.c | 7 | not built |  |  |');
    expect(text).toContain("```c\n/* mm/hmm.c */\n12: return a | 'b';\n```");
  });
});
