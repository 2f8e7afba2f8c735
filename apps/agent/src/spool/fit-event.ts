import { AttemptEvent, cutText, fitTo, FRAME_MAX_BYTES } from '@peerlab/contracts';

/**
 * Largest event that is sent, in bytes of JSON. Half a frame: what is around it has room, and a heartbeat behind it
 * goes through any line within a lease.
 */
export const EVENT_MAX_BYTES = FRAME_MAX_BYTES / 2;
/** What is kept of texts and lists of an event that is too large with all of them. */
const SHORT = 1000;

/**
 * The event as every controller takes it: texts and lists cut to their maxima, and a smaller event in its place when
 * it is still larger than EVENT_MAX_BYTES. Throws ZodError for what is no event.
 */
export function fitEvent(event: AttemptEvent): AttemptEvent {
  const fitting = fitTo(AttemptEvent, event);
  const bytes = Buffer.byteLength(JSON.stringify(fitting));
  return bytes <= EVENT_MAX_BYTES ? fitting : reduced(fitting, `its report of ${bytes} bytes was too large to be sent`);
}

/** `fitEvent` of a stored event, which an older agent may have written. Never throws: a stream goes on. */
export function fitStoredEvent(event: AttemptEvent): AttemptEvent {
  try {
    return fitEvent(event);
  } catch {
    return { type: 'build-progress', percent: 0, text: 'an event in the spool of the agent could not be read' };
  }
}

function reduced(event: AttemptEvent, why: string): AttemptEvent {
  switch (event.type) {
    case 'stage':
      return { ...event, detail: event.detail === null ? null : cutText(event.detail, SHORT) };
    case 'kernel':
      return { ...event, sighting: { ...event.sighting, detail: why, commandLine: null } };
    case 'plan':
      return { ...event, tests: event.tests.slice(0, SHORT) };
    case 'result': {
      const { result } = event;
      const reason = result.reason === null ? why : cutText(result.reason, SHORT);
      const signature = result.signature === null ? null : cutText(result.signature, SHORT);
      return { ...event, result: { ...result, reason, signature, warnings: [why] } };
    }
    case 'call-places':
      // Those of the first reports.
      return { ...event, places: event.places.slice(0, 20) };
    case 'measurement':
      return { ...event, metric: { ...event.metric, samples: event.metric.samples.slice(0, SHORT), params: {} } };
    case 'file':
      // Its parts have maxima far below a frame.
      return event;
    case 'build-progress':
      return { ...event, text: cutText(event.text, SHORT) };
    case 'built':
      return {
        type: 'build-failed',
        error: { class: 'infrastructure', detail: `the manifest of the bundle: ${why}`, remedy: null },
      };
    case 'build-failed':
      return { ...event, error: { class: 'infrastructure', detail: cutText(event.error.detail, SHORT), remedy: why } };
    case 'finished':
      return {
        ...event,
        failure: event.failure === null ? null : { ...event.failure, message: cutText(event.failure.message, SHORT) },
      };
  }
}
