/**
 * Headers of a report whose addresses were looked up before it was written down. Where functions were inlined into
 * the one that reports, the header is there once for each, innermost first, and last for the function itself:
 *
 *     WARNING: CPU: 1 PID: 7 at lib/a.c:5 check include/a.h:12 [inline]
 *     WARNING: CPU: 1 PID: 7 at lib/a.c:5 use+0x1/0x2 lib/a.c:40
 */

const INLINED = ' [inline]';

/** What stands in front of the inlined function in a header, with the blank behind it; null in any other line. */
function beforeInlined(line: string): string | null {
  const end = line.indexOf(INLINED);
  if (end === -1) return null;
  // FUNCTION FILE:LINE [inline]
  const file = line.lastIndexOf(' ', end - 1);
  const name = line.lastIndexOf(' ', file - 1);
  return name <= 0 || file <= 0 ? null : line.slice(0, name + 1);
}

/** Whether a header is the one of the line before it again, for the function that was inlined into. */
export function isOuterHeader(header: string, inlined: string): boolean {
  const start = beforeInlined(inlined);
  return start !== null && header.startsWith(start);
}
