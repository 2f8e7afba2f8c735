import { runProgram } from '@peerlab/runtime';

/** Longest run of a tool: those that walk a kernel tree of 100 000 files take seconds on an idle disk. */
const TOOL_MS = 15 * 60_000;
/** Bytes of its output that an error quotes, the last ones. */
const QUOTED_BYTES = 1000;

/**
 * Runs a program of the system (tar, chown, rm).
 * @throws Error with the last of what it printed when it fails or takes longer than a quarter of an hour
 */
export async function runTool(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram(program, args, { timeoutMs: TOOL_MS, outputMaxBytes: QUOTED_BYTES });
  if (code !== 0) throw new Error(`${program} ${args[0] ?? ''} exited with ${code ?? 'a signal'}: ${stderr.trim()}`);
}
