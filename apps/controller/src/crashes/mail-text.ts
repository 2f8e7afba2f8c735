import {
  gitTitle,
  sourceLines,
  type BuiltGit,
  type BundleManifest,
  type CallPlace,
  type CrashDetail,
  type CrashMail,
} from '@peerlab/contracts';

/** What a report for a mailing list is made of. */
export interface MailFacts {
  crash: Pick<CrashDetail, 'title' | 'count' | 'combinations' | 'corrupted' | 'first'>;
  manifest: Pick<BundleManifest, 'release' | 'buildId' | 'base' | 'series' | 'config' | 'toolchain'> | null;
  /** The git source of the kernel; null where it is of another one. */
  git: BuiltGit | null;
  /** Where addresses of the report are in the source. */
  sources: readonly CallPlace[];
  machine: string | null;
  /** Label of the combination of hardware. */
  hardware: string | null;
  suite: string | null;
  test: string | null;
  /** When it was seen, ISO 8601. */
  at: string;
  /** Before it was first seen on this combination. */
  lastGood: { build: string; at: string } | null;
  /** Lines of the report; null when retention removed them. */
  lines: readonly string[] | null;
  /** Lines of the report that are left out at the end. */
  linesLeftOut: number;
}

/** Patches of a series that are named one by one. */
const PATCHES_NAMED = 20;

/**
 * A report as kernel mailing lists want it: plain text, the report unfolded, what was run and since when. Which tags a fix
 * gets is for people to say.
 */
export function mailText(facts: MailFacts): CrashMail {
  const { crash, manifest, lines } = facts;
  const sections = [
    ['Hello,', '', `a test farm saw this report of the kernel: ${crash.title}`, ...history(facts)],
    kernelFacts(facts),
    lines === null
      ? ['The log was removed by retention; the text of the report is gone.']
      : [...lines, ...(facts.linesLeftOut > 0 ? [`[${facts.linesLeftOut} more lines]`] : [])],
    ...(facts.sources.length === 0 ? [] : [['In the source that was built:', '', ...sourceLines(facts.sources)]]),
    [
      'If this is fixed, please consider naming who found it in the commit:',
      '',
      'Reported-by: (the sender of this mail fills in a name and an address, or removes the line)',
      'Closes: (link to this mail in the archive of the list)',
    ],
  ];
  if (crash.corrupted) {
    sections.splice(1, 0, ['The report is incomplete or mixed with other messages: its title may be wrong.']);
  }
  const base = manifest === null ? '' : ` (${manifest.base.version}${manifest.series.length > 0 ? ' + series' : ''})`;
  return {
    subject: `[BUG] ${crash.title}${base}`,
    body: `${sections.map((section) => section.join('\n')).join('\n\n')}\n`,
  };
}

function history({ crash, lastGood }: MailFacts): string[] {
  const times = crash.count === 1 ? 'once' : `${crash.count} times`;
  const places = crash.combinations === 1 ? 'one combination' : `${crash.combinations} combinations`;
  const lines = [
    `Seen ${times} on ${places} of hardware, first on ${crash.first.at.slice(0, 10)} with build ${crash.first.build}.`,
  ];
  if (lastGood !== null)
    lines.push(`Before that, build ${lastGood.build} ran here without it on ${lastGood.at.slice(0, 10)}.`);
  return lines;
}

function kernelFacts({ manifest, git, machine, hardware, suite, test, at }: MailFacts): string[] {
  const lines = [`time:     ${at}`];
  if (manifest !== null) {
    const { base, release, buildId, config, toolchain, series } = manifest;
    lines.push(
      `base:     Linux ${base.version} (source sha256 ${base.sha256.slice(0, 16)})`,
      ...(git === null ? [] : [`source:   ${gitTitle(git)}`]),
      `release:  ${release}, build-id ${buildId}`,
      `config:   ${config.name} (sha256 ${config.sha256.slice(0, 16)})`,
      `compiler: ${toolchain}`,
      `patches:  ${series.length === 0 ? 'none' : series.length}`,
      ...series.slice(0, PATCHES_NAMED).map(({ subject }) => `          ${subject}`),
    );
    if (series.length > PATCHES_NAMED) lines.push(`          and ${series.length - PATCHES_NAMED} more`);
  }
  if (machine !== null) lines.push(`machine:  ${machine}${hardware === null ? '' : `, ${hardware}`}`);
  if (suite !== null) lines.push(`test:     ${suite}/${test ?? ''}`);
  return lines;
}
