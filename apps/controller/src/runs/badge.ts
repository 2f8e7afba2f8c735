import { createHash } from 'node:crypto';
import { standingText, VERDICT_TABLE, VERDICTS, type RunSummary, type Verdict } from '@peerlab/contracts';

/** White text on each of these has a contrast of 4.5:1 or more. */
const COLOURS: Record<Verdict | 'running', string> = {
  crash: '#7e0f0f',
  fail: '#a51d1d',
  bounced: '#8a5200',
  tainted: '#6d5800',
  flaky: '#55289a',
  infra: '#1d4489',
  'no-result': '#0b5059',
  canceled: '#465063',
  'not-reached': '#4b5568',
  skip: '#525d70',
  pass: '#14663a',
  running: '#1a5bb8',
};
/** Width of a letter of the badge's type, in pixels; on the wide side, as every viewer has another font. */
const LETTER_PX = 7.2;
const PADDING_PX = 10;

type Badged = Pick<RunSummary, 'state' | 'verdict' | 'counts' | 'jobs' | 'progress'>;

/**
 * A run's verdict and counts as an SVG picture without scripts and outside references. Pure.
 * @param commits what its git sources were found to be; the picture names it where there is one, the tooltip all
 */
export function renderBadge(run: Pick<RunSummary, 'name'> & Badged, commits: readonly string[] = []): string {
  const left = 'peerlab';
  const [commit, ...others] = commits;
  const standing = badgeText(run);
  const right = commit === undefined || others.length > 0 ? standing : `${standing} · ${commit.slice(0, 12)}`;
  const colour = COLOURS[run.state === 'ended' ? (run.verdict ?? 'canceled') : 'running'];
  const [leftPx, rightPx] = [left, right].map((text) => Math.ceil(text.length * LETTER_PX) + 2 * PADDING_PX) as [
    number,
    number,
  ];
  const width = leftPx + rightPx;
  const title = escapeXml([`${run.name}: ${standing}`, ...commits.map((each) => `commit ${each}`)].join(', '));
  const text = (x: number, content: string): string =>
    `<text x="${x}" y="14" text-anchor="middle">${escapeXml(content)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${title}">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="20" rx="4" fill="#3a4352"/>`,
    `<path d="M${leftPx} 0h${rightPx - 4}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-${rightPx - 4}z" fill="${colour}"/>`,
    '<g fill="#fff" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11">',
    text(leftPx / 2, left),
    text(leftPx + rightPx / 2, right),
    '</g></svg>',
  ].join('');
}

/** `✗ fail · 2 crash · 3 fail · 61 pass`: verdict, then the counts that matter; before the end, how far it is. */
export function badgeText(run: Badged): string {
  if (run.state !== 'ended') return `◐ ${standingText(run)}`;
  const icon = run.verdict === null ? '–' : VERDICT_TABLE[run.verdict].icon;
  const shown = VERDICTS.filter((each) => each !== 'skip' && (run.counts[each] ?? 0) > 0).map(
    (each) => `${run.counts[each]} ${VERDICT_TABLE[each].label}`,
  );
  return [`${icon} ${standingText(run)}`, ...shown].join(' · ');
}

/** Entity tag of a text. */
export function tagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text for XML content and attributes; characters that XML forbids are left out. */
export function escapeXml(text: string): string {
  return text
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replaceAll(/[&<>"']/g, (letter) => ENTITIES[letter] ?? '');
}
