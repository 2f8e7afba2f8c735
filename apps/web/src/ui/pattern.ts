export interface Pattern {
  matches: (text: string) => boolean;
  /** Error in the expression, which then matches everything. */
  problem: string | null;
}

const ALL: Pattern = { matches: () => true, problem: null };

/** Characters of a text that a filter reads: names and reasons are shorter, and an expression of the user may backtrack. */
const TEXT_MAX = 500;

/** Case-insensitive regular expression from a filter field; a leading `!` inverts it. */
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

/** An expression that matches exactly the text. */
export function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
