export { ApiError } from './api-error.js';
export { ApiClient, type CallOptions, type FileRoute, type JsonRoute } from './api-client.js';
export { HttpClient, type UploadContent } from './http-client.js';
export { LiveChannel, type LiveOptions, type LiveState, type Tail } from './live-channel.js';
export type { LiveConnectionType } from './live-socket.js';
export { reconnectPauseMs } from './reconnect.js';
