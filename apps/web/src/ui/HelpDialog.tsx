import type { ReactNode } from 'react';
import { KEY_MAP, keyText } from '../keys.js';
import { Dialog } from './dialog.js';

/** All shortcuts of the key map. */
export function HelpDialog({ onClose }: { onClose: () => void }): ReactNode {
  const entries = Object.entries(KEY_MAP);
  const scopes = [...new Set(entries.map(([, { scope }]) => scope))];
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <div className="help-scopes">
        {scopes.map((scope) => (
          <section key={scope}>
            <h3>{scope}</h3>
            <dl className="help-keys">
              {entries
                .filter(([, entry]) => entry.scope === scope)
                .map(([name, { keys, label }]) => (
                  <div key={name}>
                    <dt>
                      {keys.map((key) => (
                        <kbd key={key}>{keyText(key)}</kbd>
                      ))}
                    </dt>
                    <dd>{label}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
