import type { BuildDetail, BundleManifest } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { buildApi } from '../api/builds.js';
import { CopyButton } from '../ui/copy.js';
import { Download } from '../ui/Download.js';
import { ListTable } from '../ui/ListTable.js';
import { bytesText, countOf } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';
import { fileNameOf, filesOfBundle, type KernelFile } from './files.js';

/** Each file of a build's kernel bundle with its size, its digest and its download. */
export function KernelFiles({
  build,
  manifest,
}: {
  build: Pick<BuildDetail, 'id' | 'bundle'>;
  manifest: BundleManifest;
}): ReactNode {
  const { kernel, suites } = filesOfBundle(manifest);
  const removedAt = build.bundle?.removedAt ?? null;
  return (
    <section aria-labelledby="kernel-files-head">
      <h2 id="kernel-files-head">Files of the kernel</h2>
      {removedAt !== null && (
        <p className="muted">
          Retention removed these files <Ago at={removedAt} />. Run the build again to get them.
        </p>
      )}
      <FileTable
        build={build.id}
        files={kernel}
        isRemoved={removedAt !== null}
        empty={<p className="muted">Its manifest lists no files of the kernel.</p>}
      />
      {suites.length > 0 && (
        <details>
          <summary>{countOf(suites.length, 'file')} of its test suites</summary>
          <FileTable build={build.id} files={suites} isRemoved={removedAt !== null} />
        </details>
      )}
    </section>
  );
}

function FileTable({
  build,
  files,
  isRemoved,
  empty,
}: {
  build: string;
  files: readonly KernelFile[];
  isRemoved: boolean;
  empty?: ReactNode;
}): ReactNode {
  return (
    <ListTable
      className="file-list"
      rows={files}
      keyOf={({ path }) => path}
      empty={empty}
      columns={[
        {
          name: 'File',
          className: 'strong',
          render: ({ path }) =>
            isRemoved ? (
              <code>{path}</code>
            ) : (
              <Download
                className="file-link"
                api={buildApi}
                route="getBuildFile"
                call={{ params: { build }, query: { path } }}
                fileName={fileNameOf(path)}
              >
                <code>{path}</code>
              </Download>
            ),
        },
        { name: 'Content', render: ({ what }) => what },
        { name: 'Size', className: 'number', render: ({ sizeBytes }) => bytesText(sizeBytes) },
        {
          name: 'SHA-256',
          render: ({ path, sha256 }) => (
            <span className="digest-short">
              <code className="muted">{sha256.slice(0, 16)}…</code>
              <CopyButton text={sha256} label={`copy the SHA-256 of ${path}`} quiet>
                copy
              </CopyButton>
            </span>
          ),
        },
      ]}
    />
  );
}
