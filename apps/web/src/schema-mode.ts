import { z } from 'zod';

// Schemas compiled by eval would be stopped, and reported, under a strict Content-Security-Policy.
z.config({ jitless: true });
