import type { ReactNode } from 'react';

/** The frame of side A or B, with its letter; `children` are its choices. */
export function SideFrame({ name, children }: { name: 'A' | 'B'; children: ReactNode }): ReactNode {
  return (
    <fieldset className={`side side-${name.toLowerCase()}`}>
      <legend>
        <span className="side-letter" aria-hidden="true">
          {name}
        </span>
        <span className="unseen">Side {name}</span>
      </legend>
      {children}
    </fieldset>
  );
}
