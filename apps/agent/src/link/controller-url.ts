import { AGENT_PATH } from '@peerlab/contracts';

/** Base for HTTP calls, without a slash at the end; takes http, https, ws and wss URLs. */
export function httpBase(controller: string): string {
  const url = new URL(controller);
  url.protocol = url.protocol === 'wss:' || url.protocol === 'https:' ? 'https:' : 'http:';
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** Where the agent channel is. */
export function channelUrl(controller: string): string {
  return `${httpBase(controller).replace(/^http/, 'ws')}${AGENT_PATH}`;
}
