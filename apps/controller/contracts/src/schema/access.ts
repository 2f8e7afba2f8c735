/**
 * Who may call. `public`: anyone who reaches the port. `read`: the same where the farm's reads are public, else a
 * user's token. `user`: a user's token. `agent`: an agent's or a user's token. `signature`: a signed webhook.
 */
export type Access = 'public' | 'read' | 'user' | 'agent' | 'signature';
