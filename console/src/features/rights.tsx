/** What the person may do where they are. What they can't is not offered, and a line says who could allow it. */

import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";

import { environmentQuery } from "@/api/environments";
import { projectQuery } from "@/api/organizations";
import { customRolesQuery, type Member, membersQuery } from "@/api/people";
import { accountQuery } from "@/api/session";
import { type Permission, permissionsOf, type Role } from "@/pure/rights";
import { Icon } from "@/ui/icons";
import { Empty } from "@/ui/notes";

export interface Rights {
  may: (permission: Permission, projectId?: string, mode?: string) => boolean;
  role: Role | undefined;
  /** Who can give more. */
  admins: Member[];
}

/** In the organization, project or environment of the page. */
export function useRights(): Rights {
  const { organizationId, projectId, environmentId } = useParams({ strict: false });
  const environment = useQuery({ ...environmentQuery(environmentId ?? ""), enabled: Boolean(environmentId) }).data;
  const project = useQuery({ ...projectQuery(projectId ?? ""), enabled: Boolean(projectId) }).data;
  const id = organizationId ?? environment?.organization.id ?? project?.organization.id ?? "";
  const me = useQuery(accountQuery).data?.id;
  const members = useQuery({ ...membersQuery(id), enabled: id !== "" });
  const mine = members.data?.find((each) => each.id === me);
  const custom = useQuery({ ...customRolesQuery(id), enabled: Boolean(mine && !mine.role) });
  const role: Role | undefined = mine && {
    name: mine.role_name ?? "",
    builtIn: mine.role,
    projects: custom.data?.find((each) => each.id === mine.role_id)?.project_permissions,
  };
  // Where the roles can't be read, everything is offered: the server decides anyway.
  const isUnknown = members.isError || custom.isError;
  return {
    role,
    admins: (members.data ?? []).filter((each) => each.role === "OWNER" || each.role === "ADMIN"),
    may: (permission, ofProject = environment?.project.id ?? projectId, mode = environment?.mode) =>
      isUnknown || (role !== undefined && permissionsOf(role, ofProject, mode).includes(permission)),
  };
}

const names = (admins: Member[]): string => admins.slice(0, 2).map(({ email }) => email).join(" or ") || "an administrator";

/** One line for who only looks on; nothing for everybody else. */
export function LookingOn() {
  const { role, may, admins } = useRights();
  const { environmentId, projectId } = useParams({ strict: false });
  const isElsewhere = !environmentId && !projectId && (role?.projects?.length ?? 0) > 0;
  if (!role || isElsewhere || may("deploy") || may("manage")) return null;
  return (
    <div role="note" className="border-b border-line bg-sunken">
      <p className="mx-auto flex max-w-[1320px] items-center gap-2 px-4 py-1.5 text-xs text-muted max-sm:px-3">
        <Icon name="eye" size={14} />
        <span>
          You look on as <strong className="font-medium text-text">{role.name}</strong>: you see what runs, but can't deploy or change it here. {names(admins)} can give you another role.
        </span>
      </p>
    </div>
  );
}

/** In the place of what the person may not open. */
export function NotForYou({ what, needs }: { what: string; needs: string }) {
  const { role, admins } = useRights();
  return (
    <Empty icon="lock" title={what}>
      It needs the role {needs}; yours is {role?.name || "another"}. {names(admins)} can change that.
    </Empty>
  );
}
