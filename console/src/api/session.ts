/** Who is logged in. The cookie itself is HttpOnly: only the server sees it. */

import { queryOptions } from "@tanstack/react-query";

import { get, list, post } from "@/api/client";
import type { Account, Organization } from "@/api/types";

export const accountQuery = queryOptions({
  queryKey: ["account"],
  queryFn: ({ signal }) => get<Account>("/account", { signal }),
  staleTime: 5 * 60_000,
});

export const organizationsQuery = queryOptions({
  queryKey: ["organizations"],
  queryFn: ({ signal }) => list<Organization>("/organization", { signal }),
  staleTime: 60_000,
});

export interface LoginMethods {
  password: boolean;
  oidc: { name: string; url: string } | null;
}

export const loginMethodsQuery = queryOptions({
  queryKey: ["login-methods"],
  queryFn: ({ signal }) => get<LoginMethods>("/login/methods", { signal }),
  staleTime: 60_000,
  retry: false,
});

export const login = (email: string, password: string): Promise<unknown> => post("/login", { email, password });
export const logout = (): Promise<unknown> => post("/logout");
