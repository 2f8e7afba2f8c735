import { storableLines } from '@peerlab/contracts';

/** The same value with every string made acceptable to Postgres (no NUL, no lone surrogates). */
export function storable<T>(value: T): T {
  return clean(value) as T;
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return storableLines(value).join('');
  if (Array.isArray(value)) return value.map(clean);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [storableLines(key).join(''), clean(v)]));
  }
  return value;
}

/** JSON text for a jsonb parameter. `pg` would send arrays as Postgres arrays otherwise. */
export function jsonb(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(storable(value));
}
