import { ProblemError } from '../platform/http/problem.js';

const FORM = 'application/x-www-form-urlencoded';
const FORM_FIELD = 'payload=';

/**
 * The value of an authentic body: JSON, or a form with JSON in its field `payload`, which is the other content type of
 * GitHub and Gitea. The body itself says which of them it is: the header is not signed. Throws ProblemError 422.
 */
export function readPayload(body: Buffer): unknown {
  const text = body.toString('utf8');
  try {
    return JSON.parse(text.startsWith(FORM_FIELD) ? (new URLSearchParams(text).get('payload') ?? '') : text);
  } catch {
    throw new ProblemError(422, 'invalid-input', 'the body is not JSON', {
      detail: `send application/json, or ${FORM} with JSON in the field payload`,
    });
  }
}
