import { quote } from './command.js';

/** First line of a configuration that we put into /boot for the time in which an initramfs is made. */
export const CONFIG_MARK = '# Peerlab: of a kernel under test, removed after the job';

/**
 * Shell text that shows the tools the configuration of the kernel that they work for: initramfs-tools refuse every packing
 * that /boot/config-RELEASE does not name, dracut leaves out what it lacks. A file that is there already stays; ours is `$shown`,
 * for the caller to remove.
 * @param root stands before /boot; for tests
 */
export const showConfig = (
  release: string,
  config: string,
  root: string,
): string => `config=${root}/boot/config-${quote(release)}
if [ ! -e "$config" ] && [ ! -L "$config" ]; then
  shown=$config
  { echo ${quote(CONFIG_MARK)}; cat -- ${quote(config)}; } >"$config" || exit 1
fi
`;
