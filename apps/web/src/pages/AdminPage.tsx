import { getRouteApi, Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { HooksPanel, ReportsPanel } from '../admin/HooksPanel.js';
import { RetentionPanel } from '../admin/RetentionPanel.js';
import { TokensPanel } from '../admin/TokensPanel.js';
import { useTitle } from '../ui/section.js';

const route = getRouteApi('/admin');

const TABS = [
  { tab: 'tokens', label: 'Tokens', title: 'Tokens', Panel: TokensPanel },
  { tab: 'deliveries', label: 'Webhooks', title: 'Webhooks', Panel: HooksPanel },
  { tab: 'reports', label: 'Reports to forges', title: 'Reports to forges', Panel: ReportsPanel },
  { tab: 'retention', label: 'Retention', title: 'Retention', Panel: RetentionPanel },
] as const;

/** Administration of the farm: tokens, webhooks, reports to forges, retention. */
export function AdminPage(): ReactNode {
  const search = route.useSearch();
  const open = TABS.find(({ tab }) => tab === search.tab) ?? TABS[0];
  useTitle(`${open.title}, admin`);
  return (
    <>
      <div className="page-head">
        <h1>Admin</h1>
      </div>
      <nav className="tabs" aria-label="Parts of the admin page">
        {TABS.map(({ tab, label }) => (
          <Link
            key={tab}
            to="/admin"
            search={{ tab: tab === 'tokens' ? undefined : tab }}
            aria-current={tab === open.tab ? 'page' : undefined}
            className={tab === open.tab ? 'tab tab-open' : 'tab'}
          >
            {label}
          </Link>
        ))}
      </nav>
      <open.Panel />
    </>
  );
}
