import { execFile } from 'node:child_process';
import { LabError } from './errors.js';

/** Folders of system tools that a user's PATH may lack. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/sbin:/sbin';

/**
 * Runs a system tool. @returns its standard output
 * @throws LabError with the last lines of its stderr; with the Debian package when the tool is missing
 */
export async function runTool(command: string, args: string[], options: { debianPackage: string }): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:${SYSTEM_PATH}` };
  return new Promise((resolve, reject) => {
    execFile(command, args, { env, timeout: 120_000, maxBuffer: 4 << 20 }, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
      } else if (error.code === 'ENOENT') {
        reject(new LabError(`${command} is not installed`, `apt-get install ${options.debianPackage}`));
      } else {
        const lastLines = stderr.trim().split('\n').slice(-3).join('; ') || error.message;
        reject(new LabError(`${command} failed: ${lastLines}`, 'see the message; a common cause is a full disk'));
      }
    });
  });
}
