import { queryOptions } from '@tanstack/react-query';
import { HEALTH_ROUTES, type AnswerOf } from '@peerlab/contracts';
import { Api } from './client.js';

const healthApi = new Api(HEALTH_ROUTES);

/** Interval of refetches while the log of an ended attempt is searched, in milliseconds. */
const SEARCH_MS = 3000;

/** The key begins with that of the machine, so that a change of the machine invalidates its health as well. */
export const machineHealthQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'health'],
    queryFn: ({ signal }) => healthApi.call('getMachineHealth', { params: { machine } }, signal),
  });

/** Checks a machine now. */
export const checkMachine = (
  machine: string,
  body: { reason: string; hold: boolean },
): Promise<AnswerOf<'checkMachine'>> => healthApi.call('checkMachine', { params: { machine }, body });

/** The newest alarms of a machine's hardware; its key as above. */
export const machineAlarmsQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'alarms'],
    queryFn: ({ signal }) => healthApi.call('listMachineAlarms', { params: { machine } }, signal),
  });

/** What the hardware told in the logs of an attempt. `ended`: before its end nothing is searched. */
export const attemptAlarmsQuery = (attempt: string, ended: boolean) =>
  queryOptions({
    queryKey: ['attempt-alarms', attempt, ended],
    queryFn: ({ signal }) => healthApi.call('listAttemptAlarms', { params: { attempt } }, signal),
    refetchInterval: ({ state }) => (ended && state.data?.pending === true ? SEARCH_MS : false),
  });
