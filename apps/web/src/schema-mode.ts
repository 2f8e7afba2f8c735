import { z } from 'zod';

// A strict Content-Security-Policy blocks and reports schemas that are compiled by eval.
z.config({ jitless: true });
