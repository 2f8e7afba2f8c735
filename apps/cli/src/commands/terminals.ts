import type { HttpClient } from '@peerlab/client';
import type { Answer } from '../command.js';
import { shortId, table } from '../render/text.js';
import { UsageError } from '../exit-codes.js';

/** Who had a shell or the console of a machine, newest first; with the beginning of an id what is kept of what that one printed. */
export async function showTerminals(api: HttpClient, machine: string, print: string | undefined): Promise<Answer> {
  const terminals = await api.call('listTerminals', { params: { machine } });
  if (print === undefined) {
    const rows = terminals.map(({ id, kind, by, openedAt, closedAt, why, keptBytes, removedBytes }) => [
      shortId(id),
      kind,
      by,
      openedAt,
      closedAt ?? 'open',
      removedBytes === 0 ? String(keptBytes) : `${keptBytes} of ${keptBytes + removedBytes}`,
      why ?? '',
    ]);
    return {
      data: terminals,
      text: table([['TERMINAL', 'KIND', 'USER', 'FROM', 'TO', 'BYTES', 'WHY'], ...rows]),
    };
  }
  const found = terminals.filter(({ id }) => id.startsWith(print));
  const [terminal] = found;
  if (terminal === undefined || found.length > 1) {
    throw new UsageError(`--print ${print}: ${found.length === 0 ? 'no terminal' : 'several terminals'} of ${machine}`);
  }
  const output = await api.text('getTerminalOutput', { params: { terminal: terminal.id } });
  return { data: { ...terminal, output }, text: output };
}
