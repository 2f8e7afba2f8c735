export interface Pattern {
  matches: (text: string) => boolean;
  /** What is wrong with the expression; everything matches then. */
  problem: string | null;
}

const ALL: Pattern = { matches: () => true, problem: null };

/** Characters of a text that a filter looks at: names and reasons are shorter, and an expression of the reader may backtrack. */
const TEXT_MAX = 500;

/** Case-insensitive regular expression from a filter field; a leading `!` turns it round. */
export function readPattern(source: string | undefined): Pattern {
  if (source === undefined || source === '' || source === '!') return ALL;
  const negated = source.startsWith('!');
  try {
    const expression = new RegExp(negated ? source.slice(1) : source, 'i');
    return { matches: (text) => expression.test(text.slice(0, TEXT_MAX)) !== negated, problem: null };
  } catch (error) {
    return {
      ...ALL,
      problem:
        error instanceof Error
          ? error.message.replace(/^Invalid regular expression: /, '')
          : 'not a regular expression',
    };
  }
}

/** An expression that means the text itself. */
export function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
