import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { precompress } from './precompress.ts';

/**
 * The controller to which `npm run dev -w @peerlab/web` sends API calls and the live channel. The pages themselves
 * come from Vite, which replaces changed modules in the open page.
 */
const controller = process.env['PEERLAB_CONTROLLER'] ?? 'http://127.0.0.1:7470';

export default defineConfig({
  plugins: [react(), precompress()],
  // Contracts are read from source, so that a changed schema needs no build of its own.
  resolve: { conditions: ['source', 'module', 'browser', 'development|production'] },
  server: {
    host: '127.0.0.1',
    // The Host header stays that of this server: the controller opens the live channel only where it equals the origin.
    proxy: { '/api': { target: controller, ws: true } },
  },
  build: {
    target: 'es2022',
    sourcemap: true,
    // A page that inlines nothing can be served under a strict Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // schema-mode.ts has to run before any schema is made: it shares a chunk with zod, below the contracts.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'schema', test: /schema-mode|node_modules\/zod\// }] } },
    },
  },
});
