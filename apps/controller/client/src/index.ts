export { reconnectPauseMs } from './reconnect.js';
