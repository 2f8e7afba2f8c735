import { randomUUID } from 'node:crypto';
import { log } from '@peerlab/runtime';

/**
 * A listener that cannot throw: an error in a listener of a socket would end the process. It is logged with a
 * correlation id, and `recover` ends what it came from.
 * @param event name of the log line's event
 */
export function guarded<A extends unknown[]>(
  event: string,
  listener: (...values: A) => void,
  recover: () => void,
): (...values: A) => void {
  return (...values) => {
    try {
      listener(...values);
    } catch (err) {
      log.error({ correlationId: randomUUID(), err }, event);
      recover();
    }
  };
}
