import type { CallPlace } from '../../schema/call-places.js';

/** Lines that say of each address where it is, a function below another one being inlined into it. */
export function sourceLines(places: readonly CallPlace[]): string[] {
  return places.flatMap(({ call, frames }) => [
    `${call}:`,
    ...frames.map(({ name, file, line }, at) => {
      const place = file === null ? '' : ` ${file}${line === null ? '' : `:${line}`}`;
      return `    ${name}${place}${at < frames.length - 1 ? ' (inlined)' : ''}`;
    }),
  ]);
}
