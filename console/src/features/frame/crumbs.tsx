/** Where you are, and a way to what stands beside it. */

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactElement, ReactNode } from "react";

import { environmentQuery, environmentsQuery, servicesQuery } from "@/api/environments";
import { projectQuery, projectsQuery } from "@/api/organizations";
import { organizationsQuery } from "@/api/session";
import { serviceQuery } from "@/api/services";
import { Icon } from "@/ui/icons";
import { Menu, MenuLabel, MenuLink } from "@/ui/menu";

export function Crumbs() {
  const { organizationId, projectId, environmentId, serviceId } = useParams({ strict: false });
  const environment = useQuery({ ...environmentQuery(environmentId ?? ""), enabled: Boolean(environmentId) }).data;
  const ofProject = projectId ?? environment?.project.id;
  const project = useQuery({ ...projectQuery(ofProject ?? ""), enabled: Boolean(ofProject) }).data;
  const service = useQuery({ ...serviceQuery(serviceId ?? ""), enabled: Boolean(serviceId) }).data;
  const ofOrganization = organizationId ?? project?.organization.id;
  return (
    <nav aria-label="Where you are" className="flex min-w-0 items-center text-sm">
      <OrganizationCrumb id={ofOrganization} alone={!ofProject} />
      {project && (
        <Crumb
          hideOnPhones={Boolean(environment)}
          link={
            <Link to="/organization/$organizationId" params={{ organizationId: project.organization.id }} hash={project.id}>
              {project.name}
            </Link>
          }
        />
      )}
      {environment && project && (
        <Crumb
          hideOnPhones={Boolean(service)}
          link={
            <Link to="/environment/$environmentId" params={{ environmentId: environment.id }} activeOptions={{ exact: true }}>
              {environment.name}
            </Link>
          }
          menu={<EnvironmentMenu organizationId={project.organization.id} />}
          label="Other environments"
        />
      )}
      {service && environment && (
        <Crumb
          link={
            <Link to="/environment/$environmentId/service/$serviceId" params={{ environmentId: environment.id, serviceId: service.id }}>
              {service.name}
            </Link>
          }
          menu={<ServiceMenu environmentId={environment.id} />}
          label="Other services"
        />
      )}
    </nav>
  );
}

function OrganizationCrumb({ id, alone }: { id: string | undefined; alone: boolean }) {
  const { data: organizations = [] } = useQuery(organizationsQuery);
  const current = organizations.find((each) => each.id === id);
  if (!current) return null;
  return (
    <Crumb
      first
      hideOnPhones={!alone}
      link={
        <Link to="/organization/$organizationId" params={{ organizationId: current.id }} activeOptions={{ exact: true, includeHash: true }}>
          {current.name}
        </Link>
      }
      {...(organizations.length > 1 && {
        label: "Other organizations",
        menu: organizations.map((each) => (
          <MenuLink key={each.id}>
            <Link to="/organization/$organizationId" params={{ organizationId: each.id }}>
              {each.name}
            </Link>
          </MenuLink>
        )),
      })}
    />
  );
}

function EnvironmentMenu({ organizationId }: { organizationId: string }) {
  const { data: projects = [] } = useQuery(projectsQuery(organizationId));
  const { data: environments = [] } = useQuery(environmentsQuery(organizationId));
  return (
    <>
      {projects.map((project) => (
        <div key={project.id}>
          <MenuLabel>{project.name}</MenuLabel>
          {environments.filter((each) => each.project.id === project.id).map((each) => (
            <MenuLink key={each.id}>
              <Link to="/environment/$environmentId" params={{ environmentId: each.id }}>
                <Icon name="layers" className="text-muted" /> <span className="truncate">{each.name}</span>
              </Link>
            </MenuLink>
          ))}
        </div>
      ))}
    </>
  );
}

function ServiceMenu({ environmentId }: { environmentId: string }) {
  const { data: services = [] } = useQuery(servicesQuery(environmentId));
  return (
    <>
      {services.map((each) => (
        <MenuLink key={each.id}>
          <Link to="/environment/$environmentId/service/$serviceId" params={{ environmentId, serviceId: each.id }}>
            <Icon name="box" className="text-muted" /> <span className="truncate">{each.name}</span>
          </Link>
        </MenuLink>
      ))}
    </>
  );
}

interface CrumbProps {
  link: ReactElement;
  menu?: ReactNode;
  label?: string;
  first?: boolean;
  hideOnPhones?: boolean;
}

function Crumb({ link, menu, label, first, hideOnPhones }: CrumbProps) {
  return (
    <span className={`flex min-w-0 items-center ${hideOnPhones ? "max-sm:hidden" : ""}`}>
      {!first && (
        <span aria-hidden className="px-1 text-line-strong">
          /
        </span>
      )}
      <span className="flex min-w-0 [&>a]:truncate [&>a]:rounded-md [&>a]:px-1.5 [&>a]:py-1 [&>a]:text-muted [&>a:hover]:bg-hover [&>a:hover]:text-text [&>a[data-status=active]]:font-medium [&>a[data-status=active]]:text-text">
        {link}
      </span>
      {menu && (
        <Menu
          align="start"
          trigger={
            <button type="button" aria-label={label} className="flex h-7 w-5 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text">
              <Icon name="upDown" size={14} />
            </button>
          }
        >
          {menu}
        </Menu>
      )}
    </span>
  );
}
