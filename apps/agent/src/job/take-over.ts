import { runTool } from './system-tool.js';

/** Makes the files of a checked folder this agent's own, so that no other build can change them. */
export async function takeOver(folder: string): Promise<void> {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  await runTool('chown', ['-hR', `${uid}:${gid}`, '--', folder]);
  await runTool('chmod', ['-R', 'u=rwX,go=rX', '--', folder]);
}
