import type { RetentionView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { bytesText } from '../ui/numbers.js';

const PARTS = [
  { key: 'logBytes', label: 'logs', className: 'bar-logs' },
  { key: 'artifactBytes', label: 'artifacts', className: 'bar-artifacts' },
  { key: 'otherBytes', label: 'results and the rest', className: 'bar-other' },
] as const;

/** Used space by kind, on a scale that ends at the hard limit or beyond it. */
export function StorageBar({ use, policy }: Pick<RetentionView, 'use' | 'policy'>): ReactNode {
  const scale = Math.max(policy.hardBytes, use.usedBytes);
  const percent = (bytes: number): number => (100 * bytes) / scale;
  const said = `${bytesText(use.usedBytes)} used of ${bytesText(policy.hardBytes)}, soft limit ${bytesText(policy.softBytes)}`;
  return (
    <figure className="storage">
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={said}>
        <rect width="100" height="8" className="bar-free" />
        {PARTS.map(({ key, className }, index) => {
          const before = PARTS.slice(0, index).reduce((sum, part) => sum + use[part.key], 0);
          return <rect key={key} x={percent(before)} width={percent(use[key])} height="8" className={className} />;
        })}
        {[policy.softBytes, policy.hardBytes].map((limit) => (
          <rect key={limit} x={Math.min(99.7, percent(limit))} width="0.3" height="8" className="bar-limit" />
        ))}
      </svg>
      <figcaption className="row">
        {PARTS.map(({ key, label, className }) => (
          <span key={key} className="number">
            <i className={`bar-key ${className}`} aria-hidden="true" /> {label} {bytesText(use[key])}
          </span>
        ))}
        <span className="number strong">{bytesText(use.usedBytes)} used</span>
        <span className="muted number">
          soft limit {bytesText(policy.softBytes)}, hard limit {bytesText(policy.hardBytes)}
        </span>
        <span className="muted number">
          {bytesText(use.freeBytes)} free on the disk, {bytesText(policy.freeBytes)} wanted
        </span>
      </figcaption>
    </figure>
  );
}
