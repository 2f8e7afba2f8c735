import { ADVISORY_LOCKS, LOCK_ORDER, LOCKED_UNDER } from './locks.js';

/** A lock on rows of a table, or an advisory lock, that a statement takes. */
export interface StatementLock {
  name: string;
  /**
   * `wait`: may wait for another transaction. `skip`: takes what is free (`skip locked`). `new`: inserted rows, which
   * no other transaction can see.
   */
  mode: 'wait' | 'skip' | 'new';
}

const RANK = new Map(LOCK_ORDER.map((name, rank) => [name, rank]));
const NAMES = new Set([...LOCK_ORDER, ...Object.keys(LOCKED_UNDER)]);
const ADVISORY_NAMES = new Map<unknown, string>(
  Object.entries(ADVISORY_LOCKS).map(([name, number]) => [number, `advisory:${name}`]),
);

const INNERMOST_GROUP = /\(([^()]*)\)/;
const STRING_OR_COMMENT = /'[^']*'|--[^\n]*/g;
const TABLE = /\b(?:from|join)\s+([a-z_]+)(?:\s+(?:as\s+)?([a-z_]+))?/g;
const WRITE = /\b(insert\s+into|delete\s+from|(?<!\b(?:for|key|do)\s+)update)\s+([a-z_]+)/g;
const ROW_LOCK =
  /\bfor\s+(?:no\s+key\s+update|update|key\s+share|share)\b(?:\s+of\s+([a-z_, ]+?))?(\s+skip\s+locked)?\s*$/;

/**
 * Checks, in tests, that the statements of one transaction take their locks in LOCK_ORDER. It sees tables and not
 * rows: that rows of one table are locked in one order is not checked.
 */
export class LockOrderCheck {
  readonly #held = new Set<string>();
  #last = -1;

  /** @returns what is wrong with the locks of the transaction's next statement, or null */
  problemOf(text: string, values: readonly unknown[] = []): string | null {
    for (const lock of locksOf(text, values)) {
      const problem = this.#take(lock);
      if (problem !== null) return problem;
    }
    return null;
  }

  #take({ name, mode }: StatementLock): string | null {
    const parent = LOCKED_UNDER[name];
    if (parent !== undefined) {
      return mode === 'new' || this.#held.has(parent) ? null : `locks ${name} without its row of ${parent}`;
    }
    if (this.#held.has(name)) return null;
    this.#held.add(name);
    if (mode === 'new') return null;
    const rank = RANK.get(name);
    if (rank === undefined) return `locks ${name}, which has no place in LOCK_ORDER (locks.ts)`;
    const before = LOCK_ORDER[this.#last];
    if (mode === 'wait' && rank < this.#last) return `locks ${name} after ${before}, against LOCK_ORDER (locks.ts)`;
    this.#last = Math.max(this.#last, rank);
    return null;
  }
}

/** The locks that a statement takes: those of inner queries first. Pure. */
export function locksOf(text: string, values: readonly unknown[] = []): StatementLock[] {
  const locks: StatementLock[] = [];
  if (text.includes('pg_advisory_xact_lock')) locks.push({ name: ADVISORY_NAMES.get(values[0]) ?? text, mode: 'wait' });
  let rest = text.toLowerCase().replaceAll(STRING_OR_COMMENT, ' ');
  for (let group = INNERMOST_GROUP.exec(rest); group !== null; group = INNERMOST_GROUP.exec(rest)) {
    locks.push(...locksOfQuery(group[1] ?? ''));
    rest = `${rest.slice(0, group.index)} _ ${rest.slice(group.index + group[0].length)}`;
  }
  locks.push(...locksOfQuery(rest));
  return locks;
}

/** Of a query whose inner queries are cut out. */
function locksOfQuery(query: string): StatementLock[] {
  const locks: StatementLock[] = [];
  const rowLock = ROW_LOCK.exec(query);
  if (rowLock !== null) {
    const [, of, skips] = rowLock;
    const names = tablesOf(
      query,
      of?.split(',').map((alias) => alias.trim()),
    );
    locks.push(...names.map((name) => ({ name, mode: skips === undefined ? ('wait' as const) : ('skip' as const) })));
  }
  for (const [, verb = '', name = ''] of query.matchAll(WRITE)) {
    const isNew = verb.startsWith('insert') && !/\bdo\s+update\b/.test(query);
    locks.push({ name, mode: isNew ? 'new' : 'wait' });
  }
  return locks;
}

/** Tables of a query in the order of its `from`; of those named or aliased in `wanted` when it is given. */
function tablesOf(query: string, wanted: readonly string[] | undefined): string[] {
  const tables = [...query.matchAll(TABLE)].map(([, table = '', alias = '']) => ({ table, alias }));
  return tables
    .filter(
      ({ table, alias }) => NAMES.has(table) && (wanted?.some((name) => name === alias || name === table) ?? true),
    )
    .map(({ table }) => table);
}
