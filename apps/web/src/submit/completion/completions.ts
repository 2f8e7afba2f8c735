import { RunFile } from '@peerlab/contracts';
import type { z } from 'zod';
import type { FieldPath } from '../form-model.js';
import { knownNames, type Known, type Named } from './known.js';
import { placeOf, type Cursor, type Place } from './place.js';

import { aboutOf, briefOf, formOf, keysOf, shapesAt, valuesOf } from './shapes.js';

export interface Completion {
  kind: 'key' | 'value';
  label: string;
  /** Replaces the word at the cursor, its quotes included. */
  insert: string;
  /** Where the cursor goes, in characters from the start of `insert`. */
  caret: number;
  /** One or two words. */
  detail: string;
  /** One sentence; undefined where the schema has no description. */
  about: string | undefined;
}

export interface Completions extends Pick<Cursor, 'from' | 'to' | 'typed' | 'quote'> {
  options: Completion[];
}

/** Longer texts, such as those with patches, are too slow to parse at every keystroke. In characters. */
const COMPLETE_MAX = 400_000;

/**
 * Completions at a cursor in a run, whose YAML may be unfinished; null when there are none.
 * @param cursor offset in characters
 */
export function completions(text: string, cursor: number, known: Known): Completions | null {
  if (text.length > COMPLETE_MAX) return null;
  const found = placeOf(text, cursor);
  if (found.place === null) return null;
  const options = optionsAt(found.place, found, known);
  const { from, to, typed, quote } = found;
  return options.length === 0 ? null : { from, to, typed, quote, options };
}

function optionsAt(place: Place, cursor: Cursor, known: Known): Completion[] {
  if (place.role === 'key') return keysAt(place, cursor, known);
  const shapes = shapesAt(RunFile, place.path);
  const isLine = place.role === 'node';
  const values = valuesAt(place.path, cursor, known)
    .filter(({ name }) => !place.given.has(name))
    .map((value) => valueOption(value));
  // On a line of its own a map begins with its key; on the line of a key it needs braces.
  const keys = keysAt(place, cursor, known).map((option) => (isLine ? option : around('{', option, '}')));
  if (!shapes.some((shape) => formOf(shape).startsWith('list'))) return [...values, ...keys];
  const item: Place = { ...place, path: [...place.path, 0], indent: place.indent + 2 };
  return isLine
    ? optionsAt(item, cursor, known).map((option) => around('- ', option, ''))
    : optionsAt(item, cursor, known).map((option) => around('[', option, ']'));
}

const around = (before: string, option: Completion, after: string): Completion => ({
  ...option,
  insert: `${before}${option.insert}${after}`,
  caret: before.length + option.caret,
});

function keysAt(place: Place, cursor: Cursor, known: Known): Completion[] {
  const { path } = place;
  const isWithinBraces = place.isFlow || place.role === 'value';
  const named = keysOf(shapesAt(RunFile, path), place.given).map(([name, schema]) => ({
    name,
    schema,
    about: aboutOf(schema),
  }));
  const free = namesAt(path, cursor, known).flatMap(({ name, about }) =>
    shapesAt(RunFile, [...path, name])
      .slice(0, 1)
      .map((schema) => ({ name, schema, about })),
  );
  return [...named, ...free]
    .filter(({ name }) => !place.given.has(name))
    .map(({ name, schema, about }) => {
      const after = place.hasColon ? '' : afterKey(schema, isWithinBraces, place.indent);
      const insert = `${plain(name)}${after}`;
      const caret = insert.endsWith('[]') || insert.endsWith('{}') ? insert.length - 1 : insert.length;
      return { kind: 'key', label: name, insert, caret, detail: briefOf(schema), about };
    });
}

function afterKey(schema: z.core.$ZodType, isWithinBraces: boolean, indent: number): string {
  const deeper = `:\n${' '.repeat(indent + 2)}`;
  switch (formOf(schema)) {
    case 'scalar':
      return ': ';
    case 'list':
      return ': []';
    case 'map':
      return isWithinBraces ? ': {}' : deeper;
    case 'list of maps':
      return isWithinBraces ? ': []' : `${deeper}- `;
  }
}

/** Names that can be keys of a map with free keys: labels, suites. */
function namesAt(path: FieldPath, cursor: Cursor, known: Known): Named[] {
  const last = path.at(-1);
  if (last === 'labels') return knownNames(known, 'label');
  return path.length === 1 && last === 'suiteMachines' ? suitesOfRun(cursor, known) : [];
}

function valuesAt(path: FieldPath, cursor: Cursor, known: Known): Named[] {
  const listed = valuesOf(shapesAt(RunFile, path)).map((name): Named => ({ name }));
  const [last, parent, grand] = path.toReversed();
  if (typeof last === 'number') {
    if (parent === 'names') return knownNames(known, 'machine');
    if (parent === 'builds' && grand !== undefined) return buildsOfRun(cursor);
    if (parent === 'sameLabels') return knownNames(known, 'label');
    if (parent === 'suites') return grand === undefined ? knownNames(known, 'suite') : suitesOfRun(cursor, known);
  }
  if (parent === 'labels' && typeof last === 'string') return knownNames(known, 'label', last);
  if (last === 'config') return knownNames(known, 'config');
  if (last === 'url' && parent === 'git') return knownNames(known, 'repository');
  if (last === 'base') return knownNames(known, 'base');
  if (last === 'bundle') return knownNames(known, 'bundle');
  if (last === 'rdmaDevice') return knownNames(known, 'rdmaDevice');
  return listed;
}

/** A build or a selection by suite may only name suites of the run. */
function suitesOfRun(cursor: Cursor, known: Known): Named[] {
  const listed = cursor.listAt(['suites']);
  return (listed.length > 0 ? listed : known.defaultSuites).map((name) => ({ name, about: 'a suite of this run' }));
}

const buildsOfRun = (cursor: Cursor): Named[] =>
  cursor.namesAt(['builds']).map((name) => ({ name, about: 'a build of this run' }));

function valueOption({ name, detail = '', about }: Named): Completion {
  const insert = plain(name);
  return { kind: 'value', label: name, insert, caret: insert.length, detail, about };
}

/** A text in YAML, quoted where it would be read as something else. */
function plain(text: string): string {
  const isPlain = /^[A-Za-z][\w.-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}
