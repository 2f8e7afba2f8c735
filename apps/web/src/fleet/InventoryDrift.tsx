import { useQuery } from '@tanstack/react-query';
import type { DriftItem, InventoryHistory } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { inventoryHistoryQuery } from '../api/fleet.js';
import { QuerySection } from '../ui/section.js';
import { Ago, titleText } from '../ui/time.js';

/** Entries that are unfolded at first. */
const OPEN_ENTRIES = 3;

const KINDS: Record<DriftItem['kind'], { icon: string; word: string }> = {
  new: { icon: '+', word: 'new' },
  gone: { icon: '−', word: 'gone' },
  moved: { icon: '↷', word: 'moved' },
  changed: { icon: '≠', word: 'changed' },
};

/** Changes of the hardware between two inventories of the agent, newest first. */
export function InventoryDrift({ machine }: { machine: string }): ReactNode {
  const query = useQuery(inventoryHistoryQuery(machine));
  return (
    <section aria-labelledby="drift-head">
      <h2 id="drift-head">Inventory over time</h2>
      <QuerySection query={query} what="the earlier inventories">
        {({ inventories }) =>
          inventories.length === 0 ? (
            <p className="muted">No inventory has been read yet.</p>
          ) : (
            <ol className="drift">
              {inventories.map((entry, index) => (
                <Entry key={entry.seenAt} entry={entry} isOpen={index < OPEN_ENTRIES} />
              ))}
            </ol>
          )
        }
      </QuerySection>
    </section>
  );
}

function Entry({ entry, isOpen }: { entry: InventoryHistory['inventories'][number]; isOpen: boolean }): ReactNode {
  const { seenAt, changes } = entry;
  if (changes === null) {
    return (
      <li className="drift-entry">
        <p title={titleText(seenAt)}>
          <Ago at={seenAt} /> <span className="muted">the oldest stored inventory</span>
          <Digests entry={entry} />
        </p>
      </li>
    );
  }
  return (
    <li className="drift-entry">
      <details open={isOpen}>
        <summary>
          <Ago at={seenAt} />{' '}
          <span className="muted">{changes.length === 1 ? '1 difference' : `${changes.length} differences`}</span>
          <Digests entry={entry} />
        </summary>
        <ul className="drift-items">
          {changes.map((item) => (
            <Item key={`${item.kind} ${item.what} ${item.before}`} item={item} />
          ))}
        </ul>
      </details>
    </li>
  );
}

/** Of another machine with the same code of the hardware it is made of the same models in the same places. */
function Digests({ entry: { hardware, state } }: { entry: InventoryHistory['inventories'][number] }): ReactNode {
  return (
    <span className="muted drift-digests">
      , hardware <code title="equal for machines of the same models in the same places">{hardware}</code>, state{' '}
      <code title="kernel, firmware, IOMMU, drivers, links and BARs">{state}</code>
    </span>
  );
}

function Item({ item: { kind, what, before, after } }: { item: DriftItem }): ReactNode {
  const { icon, word } = KINDS[kind];
  return (
    <li>
      <span className={`chip drift-${kind}`}>
        <span aria-hidden="true">{icon}</span> {word}
      </span>
      <span className="drift-what">{what}</span>
      <span className="drift-values">
        {before !== null && <code className={after === null ? undefined : 'drift-before'}>{before}</code>}
        {before !== null && after !== null && (
          <>
            <span aria-hidden="true"> → </span>
            <span className="unseen">, now </span>
          </>
        )}
        {after !== null && <code>{after}</code>}
      </span>
    </li>
  );
}
