import type { ProblemItem } from '@peerlab/contracts';
import { Lexer, LineCounter } from 'yaml';

/**
 * Parts that a text may have: names, values, signs, line ends. A run with 2000 machines by name has some ten
 * thousand; patches in block texts count as one each. The parser needs up to 15 µs for a part.
 */
export const PARTS_MAX = 40_000;
/** How deep a text may nest, in columns and brackets: each level is a call of the parser within the one before. */
export const DEPTH_MAX = 200;

/** Signs of the lexer that stand for nothing in the text. */
const BOUNDS = new Set(['\u0002', '\u0018']);
const TEXT_FOLLOWS = '\u001f';

/**
 * Looks at the parts of YAML before it is parsed, and stops at the first one too many.
 * @returns what is wrong, or null
 */
export function structureProblem(yaml: string): ProblemItem | null {
  const lines = new LineCounter();
  lines.addNewLine(0);
  let offset = 0;
  let parts = 0;
  let brackets = 0;
  let depth = 0;
  let isLineStart = true;
  let isText = false;
  for (const part of new Lexer().lex(yaml)) {
    parts += 1;
    if (BOUNDS.has(part)) continue;
    if (part === TEXT_FOLLOWS) {
      isText = true;
      continue;
    }
    if (part === '\n' || part === '\r\n') {
      lines.addNewLine(offset + part.length);
      isLineStart = true;
      depth = 0;
    } else {
      if (isLineStart && part.trim() === '') depth = part.length;
      if (!isText && (part === '[' || part === '{')) brackets += 1;
      if (!isText && (part === ']' || part === '}')) brackets = Math.max(0, brackets - 1);
      if (!isText && (part === '-' || part === '?')) depth += 1;
      isLineStart = false;
    }
    isText = false;
    const isDeep = depth + brackets > DEPTH_MAX;
    if (isDeep || parts > PARTS_MAX) {
      const { line, col: column } = lines.linePos(offset);
      return isDeep
        ? { path: '', message: `nests deeper than ${DEPTH_MAX} columns and brackets`, line, column }
        : { path: '', message: `has more than ${PARTS_MAX} names, values and signs`, remedy: REMEDY, line, column };
    }
    offset += part.length;
  }
  return null;
}

const REMEDY = 'select machines by label or path instead of by name, and give patches as block text (mbox: |)';
