/** The parts of an organization beside its projects. */

import { Outlet, useParams } from "@tanstack/react-router";

import { Tab, Tabs } from "@/ui/tabs";

export function OrganizationFrame() {
  const { organizationId } = useParams({ from: "/signed-in/organization/$organizationId" });
  const params = { organizationId };
  return (
    <div className="-mt-2 flex flex-1 flex-col gap-5">
      <Tabs label="Organization">
        <Tab to="/organization/$organizationId" params={params} exact>
          Projects
        </Tab>
        <Tab to="/organization/$organizationId/members" params={params}>
          Members
        </Tab>
        <Tab to="/organization/$organizationId/tokens" params={params}>
          API tokens
        </Tab>
        <Tab to="/organization/$organizationId/clusters" params={params}>
          Clusters
        </Tab>
        <Tab to="/organization/$organizationId/audit" params={params}>
          Audit log
        </Tab>
      </Tabs>
      <Outlet />
    </div>
  );
}
