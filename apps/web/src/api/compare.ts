import { queryOptions } from '@tanstack/react-query';
import { COMPARE_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

const compareApi = new Api(COMPARE_ROUTES);

export const compareQuery = ({
  a,
  b,
  rows,
  on,
  machines,
}: {
  a: string;
  b: string | undefined;
  rows: 'changed' | 'all';
  on: string | undefined;
  machines: 'each' | undefined;
}) =>
  queryOptions({
    queryKey: ['compare', a, b ?? '', rows, on ?? '', machines ?? ''],
    queryFn: ({ signal }) =>
      compareApi.call('getCompare', { query: { a, b, rows, combination: on, machines } }, signal),
  });

/** One kernel on machines with the same hardware. */
export const twinsQuery = ({ build, combination }: { build?: string | undefined; combination?: string | undefined }) =>
  queryOptions({
    queryKey: ['compare', 'machines', build ?? '', combination ?? ''],
    queryFn: ({ signal }) => compareApi.call('getTwins', { query: { build, combination } }, signal),
  });

/** One kernel on two combinations. */
export const hardwareQuery = ({
  build,
  a,
  b,
  rows,
}: {
  build: string | undefined;
  a: string | undefined;
  b: string | undefined;
  rows: 'changed' | 'all';
}) =>
  queryOptions({
    queryKey: ['compare', 'hardware', build ?? '', a ?? '', b ?? '', rows],
    queryFn: ({ signal }) =>
      compareApi.call(
        'getHardware',
        {
          query: {
            ...(build === undefined ? {} : { build }),
            ...(a === undefined ? {} : { a }),
            ...(b === undefined ? {} : { b }),
            rows,
          },
        },
        signal,
      ),
  });
