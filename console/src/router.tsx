/** Every page, once. What a first visit doesn't need is loaded when it is opened. */

import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";

import { Problem } from "@/api/problem";
import { accountQuery, organizationsQuery } from "@/api/session";
import { Frame } from "@/features/frame/frame";
import { Broken, NotFound } from "@/features/frame/broken";
import { LoginPage } from "@/features/login/page";
import { OrganizationFrame } from "@/features/organization/frame";
import { OrganizationPage } from "@/features/organization/page";
import { NoOrganization } from "@/features/organization/none";
import { EnvironmentPage, EnvironmentServices } from "@/features/environment/page";
import { DeploymentsPage } from "@/features/deployment/history";
import { DeploymentPage } from "@/features/deployment/page";
import { ServicePage } from "@/features/service/page";
import { ServiceOverview } from "@/features/service/overview";

interface Context {
  queryClient: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ notFoundComponent: NotFound });

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Record<string, unknown>): { to?: string | undefined; problem?: string | undefined } => ({ to: text(search.to), problem: text(search.problem) }),
  component: LoginPage,
});

const invitation = createRoute({
  getParentRoute: () => root,
  path: "/invitation/$organizationId/$invitationId",
  component: lazyRouteComponent(() => import("@/features/people/invitation"), "InvitationPage"),
});

const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  component: Frame,
  errorComponent: Broken,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queryClient.ensureQueryData(accountQuery);
    } catch (error) {
      if (error instanceof Problem && error.isUnauthenticated) throw redirect({ to: "/login", search: { to: location.href } });
      throw error;
    }
  },
});

const start = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  beforeLoad: async ({ context }) => {
    const [first] = await context.queryClient.ensureQueryData(organizationsQuery);
    if (first) throw redirect({ to: "/organization/$organizationId", params: { organizationId: first.id }, replace: true });
  },
  component: NoOrganization,
});

const organization = createRoute({
  getParentRoute: () => signedIn,
  path: "/organization/$organizationId",
  component: OrganizationFrame,
});

const projects = createRoute({ getParentRoute: () => organization, path: "/", component: OrganizationPage });
const members = createRoute({
  getParentRoute: () => organization,
  path: "/members",
  component: lazyRouteComponent(() => import("@/features/people/members"), "MembersPage"),
});
const tokens = createRoute({
  getParentRoute: () => organization,
  path: "/tokens",
  component: lazyRouteComponent(() => import("@/features/organization/tokens"), "TokensPage"),
});

const clusters = createRoute({
  getParentRoute: () => organization,
  path: "/clusters",
  component: lazyRouteComponent(() => import("@/features/clusters/page"), "ClustersPage"),
});

interface AuditSearch {
  eventType?: string | undefined;
  targetType?: string | undefined;
  origin?: string | undefined;
  triggeredBy?: string | undefined;
  hours?: string | undefined;
}

const audit = createRoute({
  getParentRoute: () => organization,
  path: "/audit",
  validateSearch: ({ eventType, targetType, origin, triggeredBy, hours }: Record<string, unknown>): AuditSearch => ({
    eventType: text(eventType),
    targetType: text(targetType),
    origin: text(origin),
    triggeredBy: text(triggeredBy),
    hours: text(String(hours ?? "")),
  }),
  component: lazyRouteComponent(() => import("@/features/audit/page"), "AuditPage"),
});

const project = createRoute({
  getParentRoute: () => signedIn,
  path: "/project/$projectId/settings",
  component: lazyRouteComponent(() => import("@/features/settings/project"), "ProjectSettings"),
});

const environment = createRoute({
  getParentRoute: () => signedIn,
  path: "/environment/$environmentId",
  component: EnvironmentPage,
});

const environmentServices = createRoute({ getParentRoute: () => environment, path: "/", component: EnvironmentServices });
const environmentDeployments = createRoute({ getParentRoute: () => environment, path: "/deployments", component: DeploymentsPage });
const environmentCanvas = createRoute({
  getParentRoute: () => environment,
  path: "/canvas",
  component: lazyRouteComponent(() => import("@/features/environment/canvas"), "EnvironmentCanvas"),
});
const environmentVariables = createRoute({
  getParentRoute: () => environment,
  path: "/variables",
  component: lazyRouteComponent(() => import("@/features/variables/page"), "EnvironmentVariables"),
});
const environmentTimetable = createRoute({
  getParentRoute: () => environment,
  path: "/timetable",
  component: lazyRouteComponent(() => import("@/features/timetable/page"), "TimetablePage"),
});
const environmentSettings = createRoute({
  getParentRoute: () => environment,
  path: "/settings",
  component: lazyRouteComponent(() => import("@/features/settings/environment"), "EnvironmentSettings"),
});

const deployment = createRoute({
  getParentRoute: () => signedIn,
  path: "/environment/$environmentId/deployment/$deploymentId",
  validateSearch: (search: Record<string, unknown>): { step?: string | undefined } => ({ step: text(search.step) }),
  component: DeploymentPage,
});

const compare = createRoute({
  getParentRoute: () => signedIn,
  path: "/environment/$environmentId/compare",
  validateSearch: (search: Record<string, unknown>): { before?: string | undefined; after?: string | undefined } => ({ before: text(search.before), after: text(search.after) }),
  component: lazyRouteComponent(() => import("@/features/deployment/compare"), "ComparePage"),
});

const newService = createRoute({
  getParentRoute: () => signedIn,
  path: "/environment/$environmentId/new",
  component: lazyRouteComponent(() => import("@/features/create/service"), "NewServicePage"),
});

const service = createRoute({
  getParentRoute: () => signedIn,
  path: "/environment/$environmentId/service/$serviceId",
  component: ServicePage,
});

const serviceOverview = createRoute({ getParentRoute: () => service, path: "/", component: ServiceOverview });
const serviceLogs = createRoute({
  getParentRoute: () => service,
  path: "/logs",
  component: lazyRouteComponent(() => import("@/features/service/logs"), "ServiceLogs"),
});
const serviceVariables = createRoute({
  getParentRoute: () => service,
  path: "/variables",
  component: lazyRouteComponent(() => import("@/features/variables/page"), "ServiceVariables"),
});
const serviceMetrics = createRoute({
  getParentRoute: () => service,
  path: "/metrics",
  component: lazyRouteComponent(() => import("@/features/metrics/page"), "ServiceMetrics"),
});
const serviceTerminal = createRoute({
  getParentRoute: () => service,
  path: "/terminal",
  component: lazyRouteComponent(() => import("@/features/terminal/page"), "ServiceTerminal"),
});
const serviceDeliveries = createRoute({
  getParentRoute: () => service,
  path: "/deliveries",
  component: lazyRouteComponent(() => import("@/features/deliveries/page"), "ServiceDeliveries"),
});
const serviceSettings = createRoute({
  getParentRoute: () => service,
  path: "/settings",
  component: lazyRouteComponent(() => import("@/features/settings/service"), "ServiceSettings"),
});

const tree = root.addChildren([
  login,
  invitation,
  signedIn.addChildren([
    start,
    organization.addChildren([projects, members, tokens, clusters, audit]),
    project,
    newService,
    deployment,
    compare,
    environment.addChildren([environmentServices, environmentCanvas, environmentDeployments, environmentVariables, environmentTimetable, environmentSettings]),
    service.addChildren([serviceOverview, serviceLogs, serviceVariables, serviceMetrics, serviceTerminal, serviceDeliveries, serviceSettings]),
  ]),
]);

export function makeRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queryClient },
    defaultPreload: "intent",
    defaultPreloadStaleTime: 0,
    defaultErrorComponent: Broken,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
