import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../../apps/${path}`, import.meta.url), 'utf8');

const words = (text: string): string[] => [...text.matchAll(/['`]([a-z_-]+)['`]/g)].map(([, word = '']) => word);

/** Rooms of rooms.ts, with the tables and imports that it names. */
const rooms = [
  ...read('controller/src/rooms.ts').matchAll(
    /^ {2}'?([\w-]+)'?: \{\s*tables: \[([^\]]*)\],\s*imports: \[([^\]]*)\],?\s*\},$/gm,
  ),
].map(([, room = '', tables = '', imports = '']) => ({ room, tables: words(tables), imports: words(imports) }));

/** First and last cells of the rows whose first cell is a room. */
function rowsOf(file: string, heading: string): { room: string; last: string[] }[] {
  const section = read(file).split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `([\w-]+)` \| .* \| ?([^|]*)\|$/gm)].map(([, room = '', last = '']) => ({
    room,
    last: words(last),
  }));
}

describe('the documentation of the rooms', () => {
  it('reads every room of rooms.ts', () => {
    expect(rooms.length).toBeGreaterThan(10);
  });

  it('says in apps/README.md what each may import', () => {
    expect(rowsOf('README.md', 'Rooms of the controller')).toEqual(
      rooms.map(({ room, imports }) => ({ room, last: imports })),
    );
  });

  it('says in the README of the controller which tables each has', () => {
    expect(rowsOf('controller/README.md', 'Rooms')).toEqual(rooms.map(({ room, tables }) => ({ room, last: tables })));
  });
});
