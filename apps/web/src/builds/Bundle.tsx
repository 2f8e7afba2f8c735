import { Link } from '@tanstack/react-router';
import type { BuildDetail, BundleManifest, DriverBuild } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { CopyButton } from '../ui/copy.js';
import { ListTable } from '../ui/ListTable.js';
import { bytesText, countText } from '../ui/numbers.js';
import { escapePattern } from '../ui/pattern.js';
import { Ago, durationText } from '../ui/time.js';

/** The suites in the bundle, each with its tests. */
export function Suites({ manifest }: { manifest: BundleManifest }): ReactNode {
  const { kselftests = [], unbuilt = [] } = manifest;
  return (
    <section aria-labelledby="suites-head">
      <h2 id="suites-head">Test suites in the bundle</h2>
      <ListTable
        rows={manifest.suites}
        keyOf={(suite) => suite.name}
        columns={[
          { name: 'Suite', className: 'strong', render: (suite) => suite.name },
          { name: 'Kind', render: (suite) => suite.kind },
          { name: 'Limit', className: 'number', render: (suite) => durationText(suite.timeoutSeconds * 1000) },
          {
            name: 'Tests',
            render: (suite) =>
              suite.tests.length === 0 ? (
                <span className="muted">known after the first run</span>
              ) : (
                <details>
                  <summary>
                    {countText(suite.tests.length)} {suite.tests.length === 1 ? 'test' : 'tests'}
                  </summary>
                  <ul className="test-names">
                    {suite.tests.map((test) => (
                      <li key={test}>
                        <Link to="/" search={{ q: `^${escapePattern(`${suite.name}/${test}`)}$` }}>
                          {test}
                        </Link>
                      </li>
                    ))}
                  </ul>
                </details>
              ),
          },
        ]}
      />
      {kselftests.length > 0 && <p>Selftests of the kernel: {kselftests.map(({ target }) => target).join(', ')}</p>}
      {unbuilt.map(({ target, error }) => (
        <p key={target} className="notice notice-warn">
          The selftests {target} were not built: {error}
        </p>
      ))}
    </section>
  );
}

/** The lab's out-of-tree drivers that were built against the kernel, or could not be. */
export function Drivers({ drivers }: { drivers: readonly DriverBuild[] }): ReactNode {
  if (drivers.length === 0) return null;
  return (
    <section aria-labelledby="drivers-head">
      <h2 id="drivers-head">Drivers from outside of the tree</h2>
      <ListTable
        rows={drivers}
        keyOf={({ name }) => name}
        columns={[
          { name: 'Driver', className: 'strong', render: ({ name }) => name },
          { name: 'Version', render: ({ version }) => version },
          {
            name: 'With this kernel',
            render: ({ modules, archive, error }) =>
              archive === null ? (
                <span className="notice-warn">does not build: {error}</span>
              ) : (
                `built (${bytesText(archive.sizeBytes)}); a machine loads ${modules.join(', ')}`
              ),
          },
          { name: 'Key', render: ({ key }) => (key === null ? null : <code title={key}>{key.slice(0, 12)}</code>) },
        ]}
      />
    </section>
  );
}

/** Everything that identifies the kernel exactly. */
export function Digests({ manifest, bundle }: { manifest: BundleManifest; bundle: BuildDetail['bundle'] }): ReactNode {
  const rows: [string, string, string][] = [
    ['build-id', manifest.buildId, 'the machine shows it in /sys/kernel/notes'],
    ['content key', manifest.key, 'what a run names the bundle by: builds: [{name: …, bundle: KEY}]'],
    ...(bundle === null ? [] : [['bundle', bundle.sha256, 'SHA-256 of the file'] satisfies [string, string, string]]),
    ['base', manifest.base.sha256, `SHA-256 of the source of ${manifest.base.version}`],
    ['config', manifest.config.sha256, 'SHA-256 of the configuration fragments'],
  ];
  return (
    <section aria-labelledby="digests-head">
      <h2 id="digests-head">Digests</h2>
      <dl className="digests card">
        {rows.map(([name, value, help]) => (
          <div key={name}>
            <dt title={help}>{name}</dt>
            <dd>
              <code>{value}</code>
              <CopyButton text={value} label={`copy the ${name}`} quiet>
                copy
              </CopyButton>
            </dd>
          </div>
        ))}
        <div>
          <dt>toolchain</dt>
          <dd>{manifest.toolchain}</dd>
        </div>
      </dl>
    </section>
  );
}

/** Other builds with the same bundle. */
export function SameKernel({ same, sameTotal }: Pick<BuildDetail, 'same' | 'sameTotal'>): ReactNode {
  if (same.length === 0) return null;
  return (
    <section aria-labelledby="same-head">
      <h2 id="same-head">The same kernel in other runs</h2>
      <ul className="same">
        {same.map(({ id, name, runId, runName, createdAt }) => (
          <li key={id}>
            <Link to="/builds/$build" params={{ build: id }}>
              {name}
            </Link>{' '}
            of{' '}
            <Link to="/runs/$run" params={{ run: runId }}>
              {runName}
            </Link>
            , <Ago at={createdAt} />
          </li>
        ))}
      </ul>
      {sameTotal > same.length && (
        <p className="muted">
          The newest {same.length} of {countText(sameTotal)}.
        </p>
      )}
    </section>
  );
}
