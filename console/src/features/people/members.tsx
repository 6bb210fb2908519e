/** Who belongs to the organization and in which role; who is invited. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";

import { rolesQuery } from "@/api/organizations";
import { changeRole, type Invitation, invitationsQuery, invite, type Member, membersQuery, removeMember, takeBack } from "@/api/people";
import { accountQuery } from "@/api/session";
import { useRights } from "@/features/rights";
import { roleMeaning } from "@/pure/rights";
import { Button, IconButton } from "@/ui/button";
import { ask } from "@/ui/confirm";
import { Commands } from "@/ui/copy";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/form";
import { Icon } from "@/ui/icons";
import { Loading, ProblemNote } from "@/ui/notes";
import { Badge } from "@/ui/status";
import { Ago } from "@/ui/time";
import { say, sayProblem } from "@/ui/toasts";

const usePlace = (): string => useParams({ from: "/signed-in/organization/$organizationId/members" }).organizationId;

export function MembersPage() {
  const organizationId = usePlace();
  const members = useQuery(membersQuery(organizationId));
  const mayChange = useRights().may("admin");
  const canInvite = useQuery(invitationsQuery(organizationId)).isSuccess && mayChange;
  const [inviting, setInviting] = useState(false);
  const [made, setMade] = useState<Invitation>();
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-col gap-4">
      <header className="flex flex-wrap items-center gap-2">
        <div className="mr-auto">
          <h1 className="text-xl font-semibold">Members</h1>
          <p className="text-sm text-muted">
            {mayChange ? "Another role is in force within two seconds, also for terminals that are open." : "Who works here. Only administrators invite people and change roles."}
          </p>
        </div>
        {canInvite && (
          <Button look="primary" icon="plus" onClick={() => setInviting(true)}>
            Invite
          </Button>
        )}
      </header>
      {made && <Invited invitation={made} />}
      {members.error && <ProblemNote error={members.error} retry={() => void members.refetch()} />}
      {members.isPending && <Loading className="panel p-5" />}
      {members.data && (
        <ul className="panel" aria-label="Members">
          {members.data.map((member) => (
            <MemberRow key={member.id} member={member} mayChange={mayChange} />
          ))}
        </ul>
      )}
      <Invitations mayChange={mayChange} />
      <Roles />
      {inviting && (
        <InviteDialog
          onClose={() => setInviting(false)}
          onMade={(invitation) => {
            setMade(invitation);
            setInviting(false);
          }}
        />
      )}
    </div>
  );
}

function MemberRow({ member, mayChange }: { member: Member; mayChange: boolean }) {
  const organizationId = usePlace();
  const me = useQuery(accountQuery).data?.id === member.id;
  const roles = useQuery(rolesQuery(organizationId)).data ?? [];
  const client = useQueryClient();
  const again = (): Promise<void> => client.invalidateQueries({ queryKey: ["organization", organizationId, "members"] });
  const change = useMutation({
    mutationFn: (roleId: string) => changeRole(organizationId, member.id, roleId),
    onSuccess: (_, roleId) => say(`${member.email} is ${roles.find(({ id }) => id === roleId)?.name ?? "changed"} now`),
    onError: sayProblem,
    onSettled: again,
  });
  const isFixed = !mayChange || me || member.role === "OWNER";
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2 last:border-0">
      <Icon name="user" className="text-muted" />
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">
          {member.name || member.email}
          {me && <span className="font-normal text-muted"> (you)</span>}
        </p>
        <p className="truncate text-xs text-muted">{member.email}</p>
      </div>
      {isFixed ? (
        <Badge title={me && mayChange ? "Nobody changes their own role" : roleMeaning(member.role_name ?? "")}>{member.role_name}</Badge>
      ) : (
        <Select
          aria-label={`Role of ${member.email}`}
          className="!w-auto"
          value={(change.isPending ? change.variables : undefined) ?? member.role_id ?? ""}
          disabled={change.isPending}
          onChange={(event) => change.mutate(event.target.value)}
        >
          {roles.filter(({ name }) => name !== "Owner").map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      )}
      {!isFixed && <IconButton icon="trash" label={`Remove ${member.email}`} onClick={() => void removed()} />}
    </li>
  );

  async function removed(): Promise<void> {
    const sure = await ask({ title: `Remove ${member.email}?`, description: "They see nothing here any more, and API tokens that they made end with it.", verb: "Remove", danger: true });
    if (!sure) return;
    try {
      await removeMember(organizationId, member.id);
      say(`${member.email} is removed`);
    } catch (error) {
      sayProblem(error);
    }
    await again();
  }
}

function Invited({ invitation }: { invitation: Invitation }) {
  return (
    <section role="status" className="flex flex-col gap-2 rounded-lg border border-good/30 bg-good-soft px-4 py-3 text-sm">
      <p className="font-medium">
        Send this link to {invitation.email}. It is not shown again, and works for a week.
      </p>
      <Commands lines={[invitation.invitation_link]} prompt={false} />
    </section>
  );
}

function Invitations({ mayChange }: { mayChange: boolean }) {
  const organizationId = usePlace();
  const invitations = useQuery(invitationsQuery(organizationId));
  const client = useQueryClient();
  const gone = useMutation({
    mutationFn: (id: string) => takeBack(organizationId, id),
    onSuccess: () => say("The invitation is taken back"),
    onError: sayProblem,
    onSettled: () => client.invalidateQueries({ queryKey: ["organization", organizationId, "invitations"] }),
  });
  if (invitations.error) return <ProblemNote error={invitations.error} />;
  if (!invitations.data || invitations.data.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="invited">
      <h2 id="invited" className="border-b border-line px-4 py-2 text-sm font-semibold">
        Invited
      </h2>
      <ul>
        {invitations.data.map((each) => (
          <li key={each.id} className="flex items-center gap-3 border-b border-line px-4 py-2 last:border-0">
            <div className="min-w-0 flex-1">
              <p className="truncate font-medium">{each.email}</p>
              <p className="truncate text-xs text-muted">
                by {each.inviter}, <Ago at={each.created_at} />
              </p>
            </div>
            {each.invitation_status === "EXPIRED" && <Badge tone="warn">Expired</Badge>}
            <Badge>{each.role_name}</Badge>
            {mayChange && <IconButton icon="cross" label={`Take the invitation of ${each.email} back`} onClick={() => gone.mutate(each.id)} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Roles() {
  const roles = useQuery(rolesQuery(usePlace())).data ?? [];
  return (
    <details className="panel">
      <summary className="px-4 py-2 text-sm font-semibold">What each role may do</summary>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-1 border-t border-line px-4 py-3 text-sm">
        {roles.map(({ id, name }) => (
          <div key={id} className="contents">
            <dt className="font-medium">{name}</dt>
            <dd className="text-muted">{roleMeaning(name)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function InviteDialog({ onClose, onMade }: { onClose: () => void; onMade: (invitation: Invitation) => void }) {
  const organizationId = usePlace();
  const roles = (useQuery(rolesQuery(organizationId)).data ?? []).filter(({ name }) => name !== "Owner");
  const [email, setEmail] = useState("");
  const [role, setRole] = useState("");
  const client = useQueryClient();
  const chosen = roles.find(({ id }) => id === role) ?? roles.find(({ name }) => name === "Viewer") ?? roles[0];
  const send = useMutation({
    mutationFn: () => invite(organizationId, email.trim(), chosen?.id ?? ""),
    onSuccess: async (invitation) => {
      await client.invalidateQueries({ queryKey: ["organization", organizationId, "invitations"] });
      onMade(invitation);
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    send.mutate();
  };
  return (
    <Dialog open onClose={onClose} title="Invite somebody">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="E-mail" hint="You get a link to send to them.">
          {(attributes) => <Input {...attributes} type="email" required autoFocus placeholder="ada@example.org" value={email} onChange={(event) => setEmail(event.target.value)} />}
        </Field>
        <Field label="Role" hint={chosen && roleMeaning(chosen.name)}>
          {(attributes) => (
            <Select {...attributes} value={chosen?.id ?? ""} onChange={(event) => setRole(event.target.value)}>
              {roles.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {send.error && <ProblemNote error={send.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={send.isPending} disabled={!chosen}>
            Invite
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
