import type { ReactNode } from 'react';

/** A column of a list: its name is in the head, and before each value where a phone stacks the cells. */
export interface ListColumn<T> {
  name: string;
  /** Shown in the head instead of the name. */
  head?: ReactNode;
  /** Classes of head and cells: `number` puts figures below each other. */
  className?: string;
  render: (row: T) => ReactNode;
}

/** Rows below one head; on a phone each row is a card. `empty` is shown instead while there are no rows. */
export function ListTable<T>({
  className,
  rows,
  columns,
  keyOf,
  rowClass,
  empty = null,
}: {
  className?: string;
  rows: readonly T[];
  columns: readonly ListColumn<T>[];
  /** Of a row; its place where it has no name of its own. */
  keyOf: (row: T, index: number) => string | number;
  rowClass?: (row: T) => string;
  empty?: ReactNode;
}): ReactNode {
  if (rows.length === 0) return empty;
  return (
    <table className={className === undefined ? 'list' : `list ${className}`}>
      <thead>
        <tr>
          {columns.map(({ name, head = name, className }, at) => (
            <th key={at} scope="col" className={className}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr key={keyOf(row, index)} className={rowClass?.(row)}>
            {columns.map(({ name, className, render }, at) => (
              <td key={at} data-label={name} className={className}>
                {render(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
