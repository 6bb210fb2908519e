/** An invitation's link: newcomers choose a password, who has an account accepts. */

import { type QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";

import { Problem } from "@/api/problem";
import { acceptInvitation, invitationQuery, signUp } from "@/api/people";
import { accountQuery, organizationsQuery } from "@/api/session";
import { useLogout } from "@/features/frame/account";
import { Button, buttonClass } from "@/ui/button";
import { Field, Input } from "@/ui/form";
import { Logo } from "@/ui/icons";
import { Loading, ProblemNote } from "@/ui/notes";

const SHORTEST = 10;

function useInvitation(): { organizationId: string; invitationId: string; enter: () => Promise<void> } {
  const params = useParams({ from: "/invitation/$organizationId/$invitationId" });
  const client = useQueryClient();
  const navigate = useNavigate();
  const enter = async (): Promise<void> => {
    client.clear();
    await inForce(client, params.organizationId);
    await navigate({ to: "/organization/$organizationId", params: { organizationId: params.organizationId }, replace: true });
  };
  return { ...params, enter };
}

/** A new account and its rights are known to every part of the platform within two seconds; until then it would be refused. */
async function inForce(client: QueryClient, organizationId: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const mine = await client.fetchQuery({ ...organizationsQuery, staleTime: 0 }).catch((error: unknown) => {
      if (error instanceof Problem && error.isUnauthenticated) return [];
      throw error;
    });
    if (mine.some(({ id }) => id === organizationId)) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

export function InvitationPage() {
  const account = useQuery({ ...accountQuery, retry: false });
  return (
    <main className="flex flex-1 flex-col items-center justify-center gap-6 px-4 py-12">
      <Logo size={44} />
      {account.isPending ? <Loading className="w-full max-w-sm" /> : account.data ? <Accept as={account.data.communication_email || account.data.nickname || ""} /> : <SignUp />}
    </main>
  );
}

const Card = ({ title, children }: { title: string; children: ReactNode }) => (
  <div className="flex w-full max-w-sm flex-col gap-5">
    <h1 className="text-center text-xl font-semibold">{title}</h1>
    {children}
  </div>
);

function Accept({ as }: { as: string }) {
  const { organizationId, invitationId, enter } = useInvitation();
  const invitation = useQuery(invitationQuery(organizationId, invitationId));
  const leave = useLogout();
  const accept = useMutation({ mutationFn: () => acceptInvitation(organizationId, invitationId), onSuccess: enter });
  const isMine = invitation.data?.email.toLowerCase() === as.toLowerCase();
  if (invitation.isPending) return <Loading className="w-full max-w-sm" />;
  return (
    <Card title={invitation.data ? `Join ${invitation.data.organization_name ?? "the organization"}` : "This invitation can't be shown"}>
      {invitation.error && <ProblemNote error={invitation.error} />}
      {accept.error && <ProblemNote error={accept.error} />}
      {invitation.data && (
        <p className="text-center text-sm text-muted">
          {invitation.data.inviter} invites {invitation.data.email} as {invitation.data.role_name}.
        </p>
      )}
      {isMine && (
        <Button look="primary" className="h-9" busy={accept.isPending} onClick={() => accept.mutate()}>
          Accept
        </Button>
      )}
      {!isMine && <p className="text-center text-sm text-muted">You are logged in as {as}. If the invitation is for another address, log out and open its link again.</p>}
      <Button onClick={() => void leave()}>Log out</Button>
    </Card>
  );
}

function SignUp() {
  const { organizationId, invitationId, enter } = useInvitation();
  const { hash, pathname } = useLocation();
  const token = new URLSearchParams(hash).get("token") ?? "";
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const join = useMutation({ mutationFn: () => signUp(organizationId, invitationId, { token, password, ...(name.trim() && { name: name.trim() }) }), onSuccess: enter });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    join.mutate();
  };
  return (
    <Card title="You are invited">
      {token ? (
        <form onSubmit={submit} className="panel flex flex-col gap-4 p-5">
          <Field label="Your name" optional>
            {(attributes) => <Input {...attributes} name="name" autoComplete="name" maxLength={128} autoFocus value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
          <Field label="Password" hint={`At least ${SHORTEST} characters. Your e-mail is the invited one.`}>
            {(attributes) => (
              <Input {...attributes} type="password" name="password" autoComplete="new-password" required minLength={SHORTEST} value={password} onChange={(event) => setPassword(event.target.value)} />
            )}
          </Field>
          {join.error && <ProblemNote error={join.error} />}
          <Button type="submit" look="primary" className="h-9" busy={join.isPending}>
            Make an account and join
          </Button>
        </form>
      ) : (
        <p className="text-center text-sm text-muted">This link lacks its end, by which newcomers are known: ask for a new one, or log in.</p>
      )}
      <p className="flex items-center justify-center gap-2 text-sm text-muted">
        You have an account?
        <Link to="/login" search={{ to: pathname }} className={buttonClass("secondary")}>
          Log in
        </Link>
      </p>
    </Card>
  );
}
