import './schema-mode.js';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { LiveProvider, startLive } from './api/live-context.js';
import { createQueryClient } from './api/query-client.js';
import { adoptTokenFromAddress } from './api/token.js';
import { createPages } from './router.js';
import { applyAppearance } from './ui/theme.js';

applyAppearance();
adoptTokenFromAddress();

const place = document.getElementById('app');
if (place === null) throw new Error('index.html has no element with the id "app"');
const queries = createQueryClient();
const channel = startLive(queries);
const pages = createPages(queries);
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <LiveProvider channel={channel}>
        <RouterProvider router={pages} />
      </LiveProvider>
    </QueryClientProvider>
  </StrictMode>,
);
