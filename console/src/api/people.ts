/** Members, invitations and roles of an organization. */

import { queryOptions } from "@tanstack/react-query";

import { get, list, path, post, put, remove } from "@/api/client";
import type { Role } from "@/api/organizations";
import type { Role as Rights } from "@/pure/rights";

export interface Member {
  id: string;
  created_at: string;
  name?: string;
  email: string;
  role?: string;
  role_name?: string;
  role_id?: string;
}

export interface Invitation {
  id: string;
  created_at: string;
  email: string;
  invitation_link: string;
  invitation_status: "PENDING" | "EXPIRED";
  organization_name?: string;
  inviter: string;
  role_id?: string;
  role_name?: string;
}

export interface CustomRole extends Role {
  project_permissions?: Rights["projects"];
}

export const membersQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "members"],
    queryFn: ({ signal }) => list<Member>(path`/organization/${organizationId}/member`, { signal }),
    staleTime: 60_000,
  });

export const customRolesQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "custom-roles"],
    queryFn: ({ signal }) => list<CustomRole>(path`/organization/${organizationId}/customRole`, { signal }),
    staleTime: 60_000,
  });

export const invitationsQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "invitations"],
    queryFn: ({ signal }) => list<Invitation>(path`/organization/${organizationId}/inviteMember`, { signal }),
    staleTime: 15_000,
  });

export const invitationQuery = (organizationId: string, id: string) =>
  queryOptions({
    queryKey: ["invitation", id],
    queryFn: ({ signal }) => get<Invitation>(path`/organization/${organizationId}/inviteMember/${id}`, { signal }),
    retry: false,
    gcTime: 0,
  });

/** The link in this answer holds the token that a newcomer needs; it is shown in no later one. */
export const invite = (organizationId: string, email: string, roleId: string): Promise<Invitation> =>
  post(path`/organization/${organizationId}/inviteMember`, { email, role_id: roleId });

export const takeBack = (organizationId: string, id: string): Promise<void> => remove(path`/organization/${organizationId}/inviteMember/${id}`);
export const acceptInvitation = (organizationId: string, id: string): Promise<Invitation> => post(path`/organization/${organizationId}/inviteMember/${id}`, {});

/** Makes the account and accepts; the answer sets the session's cookie. */
export const signUp = (organizationId: string, id: string, wanted: { token: string; password: string; name?: string }): Promise<unknown> =>
  post(path`/organization/${organizationId}/inviteMember/${id}/signUp`, wanted);

export const changeRole = (organizationId: string, userId: string, roleId: string): Promise<void> =>
  put(path`/organization/${organizationId}/member`, { user_id: userId, role_id: roleId });

export const removeMember = (organizationId: string, userId: string): Promise<void> =>
  remove(path`/organization/${organizationId}/member`, { body: { user_id: userId } });
