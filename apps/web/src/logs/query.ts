/** What is searched for in a log. */
export interface LogQuery {
  text: string;
  isRegex: boolean;
  isCaseSensitive: boolean;
}

/** Half-open ranges of characters of a line. */
export type Ranges = readonly (readonly [from: number, to: number])[];

/** Finds the first places of a line: one more than PLACES_MAX when there are more. The line has no control sequences. */
export type Finder = (line: string) => Ranges;

/** Places that are marked in a line. */
export const PLACES_MAX = 200;

/**
 * A finder of plain text, in time linear in the line. Upper and lower case are the same unless asked for: by characters
 * whose other case has the same length, so that places are those of the line.
 */
export function plainFinder({ text, isCaseSensitive }: LogQuery): Finder {
  const fold = (line: string): string => {
    if (isCaseSensitive) return line;
    const lower = line.toLowerCase();
    return lower.length === line.length ? lower : line.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  };
  const wanted = fold(text);
  return (line) => {
    const folded = fold(line);
    const places: [number, number][] = [];
    for (let at = folded.indexOf(wanted); at >= 0 && places.length <= PLACES_MAX; ) {
      places.push([at, at + wanted.length]);
      at = folded.indexOf(wanted, at + wanted.length);
    }
    return places;
  };
}

/**
 * A finder of a regular expression, or what is wrong with the expression. The expression may take for ever on a line: run
 * the finder only where it can be ended, in scan-worker.ts.
 */
export function regexFinder({ text, isCaseSensitive }: LogQuery): Finder | { problem: string } {
  let expression: RegExp;
  try {
    expression = new RegExp(text, isCaseSensitive ? 'g' : 'gi');
  } catch (error) {
    const problem = error instanceof Error ? error.message : 'not a regular expression';
    return { problem: problem.replace(/^Invalid regular expression: /, '') };
  }
  return (line) => {
    const places: [number, number][] = [];
    expression.lastIndex = 0;
    for (
      let match = expression.exec(line);
      match !== null && places.length <= PLACES_MAX;
      match = expression.exec(line)
    ) {
      places.push([match.index, match.index + match[0].length]);
      // A match of nothing would be found again for ever.
      if (match[0] === '') expression.lastIndex += 1;
    }
    return places;
  };
}
