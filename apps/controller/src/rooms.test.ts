import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { lintOverride, mayImport, OTHER_FOLDERS, ROOMS } from './rooms.js';

const SOURCES = dirname(fileURLToPath(import.meta.url));

interface Source {
  /** Below src. */
  path: string;
  folder: string;
  text: string;
}

const sources: Source[] = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map((path) => ({
    path,
    folder: path.includes('/') ? (path.split('/')[0] ?? '') : '',
    text: readFileSync(join(SOURCES, path), 'utf8'),
  }));
const inRooms = sources.filter(({ folder }) => folder in ROOMS);

/** Relative imports of a source, as paths below src, with the names that are imported. */
function importsOf({ path, text }: Source): { target: string; folder: string; names: string[] }[] {
  return [...text.matchAll(/(?:import|export)\s+(?:type\s+)?(\{[^}]*\}|\*)\s+from\s+'(\.[^']+)'/g)].map(
    ([, names = '', spec = '']) => {
      const target = relative(SOURCES, join(SOURCES, dirname(path), spec)).replace(/\.js$/, '.ts');
      return {
        target,
        folder: target.includes('/') ? (target.split('/')[0] ?? '') : '',
        names: names
          .replace(/[{}]/g, '')
          .split(',')
          .map((name) => name.trim()),
      };
    },
  );
}

/** Tables that a source writes. `${…}` in the place of a name is a table that this test cannot see. */
function writtenTables({ text }: Source): string[] {
  const statement =
    /\b(?:insert\s+into|delete\s+from|truncate(?:\s+table)?|merge\s+into|update(?=\s+(?:only\s+)?[a-z_$"{}]+(?:\s+[a-z]+)?\s+set\b))\s+(?:only\s+)?([a-z_]+|"[^"]+"|\$\{[^}]*\})/gi;
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return [...code.matchAll(statement)].map(([, table = '']) => table.replaceAll('"', '').toLowerCase());
}

describe('the rooms of the controller', () => {
  it('are all the folders that there are', () => {
    const folders = new Set(sources.map(({ folder }) => folder).filter((folder) => folder !== ''));
    expect([...folders].toSorted()).toEqual([...Object.keys(ROOMS), ...OTHER_FOLDERS].toSorted());
  });

  it('stand in order: a room imports only rooms above it in the table', () => {
    const order = Object.keys(ROOMS);
    for (const [room, { imports }] of Object.entries(ROOMS))
      for (const other of imports) expect(order.indexOf(other), `${room} → ${other}`).toBeLessThan(order.indexOf(room));
  });

  it('import what the table allows and nothing else', () => {
    const wrong = inRooms.flatMap((source) =>
      importsOf(source)
        .filter(({ folder }) => folder !== '' && !mayImport(source.folder, folder))
        .map(({ target }) => `${source.path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('import nothing that the table allows in vain', () => {
    const used = new Set(
      inRooms.flatMap((source) => importsOf(source).map(({ folder }) => `${source.folder} → ${folder}`)),
    );
    const unused = Object.entries(ROOMS).flatMap(([room, { imports }]) =>
      imports.map((other) => `${room} → ${other}`).filter((edge) => !used.has(edge)),
    );
    expect(unused).toEqual([]);
  });

  it('reach the services of another room only if its module exports them', () => {
    const exported = new Map(
      inRooms
        .filter(({ path }) => path.endsWith('.module.ts'))
        .map(({ folder, text }) => [folder, /exports: \[([^\]]*)\]/.exec(text)?.[1] ?? '']),
    );
    const injectable = new Map(
      inRooms.flatMap(({ folder, text }) =>
        [...text.matchAll(/@Injectable\(\)\s+export class (\w+)/g)].map(([, name = '']) => [name, folder] as const),
      ),
    );
    const wrong = inRooms.flatMap((source) =>
      importsOf(source).flatMap(({ names, folder }) =>
        names
          .filter((name) => folder !== source.folder && injectable.get(name) === folder && folder !== 'platform')
          .filter((name) => !new RegExp(`\\b${name}\\b`).test(exported.get(folder) ?? ''))
          .map((name) => `${source.path} uses ${name}, which ${folder} does not export`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('own each table of the schema once', () => {
    const tables = sources
      .filter(({ folder }) => folder === 'schema')
      .flatMap(({ text }) => [...text.matchAll(/@Entity\('([a-z_]+)'\)/g)].map(([, name = '']) => name));
    expect(
      Object.values(ROOMS)
        .flatMap((room) => room.tables)
        .toSorted(),
    ).toEqual(tables.toSorted());
  });

  it('write only their own tables', () => {
    const wrong = inRooms
      .filter(({ folder }) => folder !== 'backup')
      .flatMap((source) =>
        writtenTables(source)
          .filter((table) => !(ROOMS[source.folder]?.tables.includes(table) ?? false))
          .map((table) => `${source.path} writes ${table}`),
      );
    expect(wrong).toEqual([]);
  });

  it('have repositories of their own tables only', () => {
    const tableOf = new Map(
      sources.flatMap(({ text }) =>
        [...text.matchAll(/@Entity\('([a-z_]+)'\)[\s\S]*?export class (\w+)/g)].map(
          ([, table = '', name = '']) => [name, table] as const,
        ),
      ),
    );
    const wrong = inRooms.flatMap((source) =>
      [...source.text.matchAll(/InjectRepository\((\w+)\)/g)]
        .filter(([, name = '']) => !(ROOMS[source.folder]?.tables.includes(tableOf.get(name) ?? '') ?? false))
        .map(([, name]) => `${source.path} has a repository of ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('are told to the linter', () => {
    const { overrides } = JSON.parse(readFileSync(join(SOURCES, '../../../.oxlintrc.json'), 'utf8')) as {
      overrides: object[];
    };
    const missing = Object.keys(ROOMS).filter(
      (room) => !overrides.some((each) => JSON.stringify(each) === JSON.stringify(lintOverride(room))),
    );
    expect(missing.map(lintOverride), 'put these into "overrides" of .oxlintrc.json').toEqual([]);
  });
});

describe('the reading of statements', () => {
  const written = (text: string): string[] => writtenTables({ path: '', folder: '', text });

  it('sees every form of writing', () => {
    expect(written('insert into run (id) values ($1)')).toEqual(['run']);
    expect(written('with a as (update job j set state = $1) delete from "lease" where x')).toEqual(['job', 'lease']);
    expect(written('delete from ${table} where x')).toEqual(['${table}']);
    expect(written('on conflict (id) do update set a = 1')).toEqual([]);
    expect(written('select 1 from run for update of run')).toEqual([]);
    expect(written('// insert into run\n/* delete from job */')).toEqual([]);
  });
});
