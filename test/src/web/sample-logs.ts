import type { LogLine, LogPage, LogStream } from '@peerlab/contracts';

export interface SampleStream {
  total: number;
  complete: boolean;
  text: (seq: number) => string;
  pushed: Map<number, string>;
  /** Numbers that never arrived. */
  lost: Set<number>;
  /** What some lines are besides text. */
  marks: Map<number, Pick<LogLine, 'continues' | 'gap'>>;
  /** When retention removed the lines. */
  removedAt: string | null;
}

/** A line of each stream by number: the same every time. */
export function sampleText(stream: LogStream): (seq: number) => string {
  const stamp = (seq: number): string => `[${(seq * 0.0131).toFixed(6).padStart(12)}]`;
  return (seq) => {
    switch (stream) {
      case 'serial':
        if (seq < 6)
          return `\u001b[2J\u001b[01;0${seq}H\u001b[1;32mGNU GRUB\u001b[0m  version 2.06-13+deb12u1 entry ${seq}`;
        if (seq === 700)
          return `${stamp(seq)} BUG: KASAN: use-after-free in p2pvram_migrate_to_ram+0x1c4/0x2e0 [p2pvram]`;
        if (seq === 1200) return `${stamp(seq)} Kernel panic - not syncing: Fatal exception`;
        return `${stamp(seq)} pci 0000:0${seq % 5}:00.0: BAR ${seq % 6} [mem 0xfe${(seq % 4096).toString(16).padStart(3, '0')}000-0xfe${(seq % 4096).toString(16).padStart(3, '0')}fff 64bit pref]`;
      case 'kernel':
        return seq === 400
          ? `${stamp(seq)} WARNING: CPU: 1 PID: 412 at mm/memremap.c:412 memremap_pages+0x1b2/0x5f0`
          : `${stamp(seq)} p2pvram 0000:03:00.0: page ${seq} moved to the device`;
      case 'test':
        return ['# test: case', 'not ok 6 thp_alias', '# proof: {"test":"x"}', 'ok 1 alias_read'][seq % 4] ?? '';
      case 'agent':
        return `stage ${['prepare', 'flash', 'boot', 'verify'][seq % 4] ?? ''}: step ${seq} done`;
      case 'build':
        return seq % 50_000 === 49_999
          ? `mm/hmm.c:${seq}:9: \u001b[1;31merror:\u001b[0m implicit declaration of function`
          : `  CC      drivers/gpu/drm/amd/display/dc/dml2/file_${seq}.o`;
    }
  };
}

/** What the API answers for a range of a stream. */
export function pageOf(held: SampleStream, attemptId: string, stream: LogStream, from: number, limit: number): LogPage {
  const lines: LogLine[] = [];
  for (let seq = from; seq < Math.min(held.total, from + limit); seq += 1) {
    if (!held.lost.has(seq))
      lines.push({
        seq,
        at: 1_790_000_000_000 + seq,
        text: held.pushed.get(seq) ?? held.text(seq),
        ...held.marks.get(seq),
      });
  }
  const { total, complete, removedAt } = held;
  if (removedAt !== null) return { attemptId, stream, lines: [], total: 0, complete: true, removedAt };
  return { attemptId, stream, lines, total, complete, removedAt };
}
