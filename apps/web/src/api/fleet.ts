import { queryOptions } from '@tanstack/react-query';
import { FLEET_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

export const fleetApi = new Api(FLEET_ROUTES);

export const fleetQuery = () =>
  queryOptions({ queryKey: ['fleet'], queryFn: ({ signal }) => fleetApi.call('getFleet', {}, signal) });

export const machineQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine],
    queryFn: ({ signal }) => fleetApi.call('getMachine', { params: { machine } }, signal),
  });

/** Interval at which queues and use are fetched: they are counted over a week of leases, so not with every change. */
const USE_MS = 30_000;

export const machineUseQuery = () =>
  queryOptions({
    queryKey: ['machine-use'],
    queryFn: ({ signal }) => fleetApi.call('listMachineUse', {}, signal),
    refetchInterval: USE_MS,
  });

export const machineChangesQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'changes'],
    queryFn: ({ signal }) => fleetApi.call('listMachineChanges', { params: { machine } }, signal),
  });

export const machineQueueQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'queue'],
    queryFn: ({ signal }) => fleetApi.call('listMachineQueue', { params: { machine } }, signal),
  });

/** The key begins with that of the machine, so that a change of the machine invalidates the attempts as well. */
export const machineAttemptsQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'attempts'],
    queryFn: ({ signal }) => fleetApi.call('listMachineAttempts', { params: { machine } }, signal),
  });

export const inventoryHistoryQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'inventories'],
    queryFn: ({ signal }) => fleetApi.call('getInventoryHistory', { params: { machine } }, signal),
  });
