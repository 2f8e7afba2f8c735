import { COMMANDS } from './commands.js';
import { EXIT, EXIT_MEANING } from './exit-codes.js';
import { GLOBAL_OPTIONS } from './program.js';

const cell = (text: string): string => text.replaceAll('|', '\\|');
const code = (text: string): string => `\`${text}\``;

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** The tables of the README, in Markdown: options of every command, commands with their options, exit codes. */
export function reference(): string {
  const globals = GLOBAL_OPTIONS.map(([flags, help]) => [code(flags), help]);
  const commands = COMMANDS.flatMap(({ usage, summary, options }) => [
    [code(usage), summary],
    ...Object.values(options).map((spec) => {
      const preset = spec.kind === 'count' || spec.kind === 'choice' ? `; ${spec.preset} unless given` : '';
      const words = spec.kind === 'choice' ? `: ${spec.of.map(code).join(', ')}` : '';
      return [`… ${code(spec.flags)}`, `${spec.help}${words}${preset}`];
    }),
  ]);
  const exits = (Object.keys(EXIT) as (keyof typeof EXIT)[]).map((name) => [String(EXIT[name]), EXIT_MEANING[name]]);
  return [
    markdownTable(['option of every command', 'meaning'], globals),
    '## Commands',
    markdownTable(['command', 'what it does'], commands),
    '## Exit codes',
    markdownTable(['code', 'meaning'], exits),
  ].join('\n\n');
}
