/**
 * What a role allows, as far as the console has to know it: what can't be done isn't offered, and is explained.
 * The server decides; this only keeps people from buttons that it would refuse.
 */

export type Permission = "deploy" | "manage" | "shell" | "admin";

/** A person's role in one organization, with what a custom one says of projects. */
export interface Role {
  name: string;
  /** OWNER, ADMIN, DEVELOPER, VIEWER; built-in roles beyond these and custom ones have none. */
  builtIn?: string | undefined;
  projects?: { project_id?: string; is_admin?: boolean; permissions?: { environment_type?: string; permission?: string }[] }[] | undefined;
}

const ALL: readonly Permission[] = ["deploy", "manage", "shell"];
const BUILT_IN: Record<string, readonly Permission[]> = { OWNER: [...ALL, "admin"], ADMIN: [...ALL, "admin"], DEVELOPER: ALL, VIEWER: [] };
const IN_PROJECT: Record<string, readonly Permission[]> = { MANAGER: ALL, DEPLOYER: ["deploy"], VIEWER: [], NO_ACCESS: [] };

/** Without a project: in the whole organization, which custom roles never cover. */
export function permissionsOf(role: Role, projectId = "", mode = ""): readonly Permission[] {
  if (role.builtIn) return BUILT_IN[role.builtIn] ?? [];
  const project = role.projects?.find((each) => each.project_id === projectId);
  if (!project) return [];
  if (project.is_admin) return ALL;
  const stated = (project.permissions ?? []).filter((each) => !mode || each.environment_type === mode);
  return [...new Set(stated.flatMap(({ permission = "" }) => IN_PROJECT[permission] ?? []))];
}

/** What a role is for, in one line. */
export function roleMeaning(name: string): string {
  return (
    {
      Owner: "Everything, also deleting the organization.",
      Admin: "Everything, also members, tokens and clusters.",
      DevOps: "Creates, changes, deploys and opens terminals.",
      "Billing manager": "Sees everything, changes only billing.",
      Viewer: "Sees everything except secrets, changes nothing.",
    }[name] ?? "A role of this organization's own."
  );
}
