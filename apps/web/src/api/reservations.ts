import { RESERVATION_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

export const reservationApi = new Api(RESERVATION_ROUTES);
