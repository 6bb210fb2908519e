/** API tokens: for git, CI and the command line. A token is shown once, when it is made. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";

import { createToken, deleteToken, rolesQuery, tokensQuery } from "@/api/organizations";
import type { ApiToken } from "@/api/types";
import { useRights } from "@/features/rights";
import { Button, IconButton } from "@/ui/button";
import { Commands } from "@/ui/copy";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/form";
import { Icon } from "@/ui/icons";
import { Empty, Loading, ProblemNote } from "@/ui/notes";
import { Badge } from "@/ui/status";
import { Ago } from "@/ui/time";

export function TokensPage() {
  const { organizationId } = useParams({ from: "/signed-in/organization/$organizationId/tokens" });
  const tokens = useQuery(tokensQuery(organizationId));
  const mayChange = useRights().may("admin");
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<ApiToken>();
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-col gap-4">
      <header className="flex flex-wrap items-center gap-2">
        <div className="mr-auto">
          <h1 className="text-xl font-semibold">API tokens</h1>
          <p className="text-sm text-muted">The password of git push, and the key of CI and of the command line.{!mayChange && " Only administrators make and revoke them."}</p>
        </div>
        {mayChange && (
          <Button look="primary" icon="plus" onClick={() => setAdding(true)}>
            New token
          </Button>
        )}
      </header>
      {made?.token && <Shown token={made.token} name={made.name} />}
      {tokens.error && <ProblemNote error={tokens.error} retry={() => void tokens.refetch()} />}
      {tokens.isPending && <Loading className="panel p-5" />}
      {tokens.data?.length === 0 && <Empty icon="key" title="No token yet" />}
      {tokens.data && tokens.data.length > 0 && (
        <ul className="panel">
          {tokens.data.map((token) => (
            <TokenRow key={token.id} token={token} mayChange={mayChange} organizationId={organizationId} />
          ))}
        </ul>
      )}
      {adding && (
        <NewToken
          organizationId={organizationId}
          onClose={() => setAdding(false)}
          onMade={(token) => {
            setMade(token);
            setAdding(false);
          }}
        />
      )}
    </div>
  );
}

function Shown({ token, name }: { token: string; name: string }) {
  return (
    <section role="status" className="flex flex-col gap-2 rounded-lg border border-good/30 bg-good-soft px-4 py-3 text-sm">
      <p className="flex items-center gap-2 font-medium">
        <Icon name="key" className="text-good" /> {name} is made. Copy it now: it is not shown again.
      </p>
      <Commands lines={[token]} prompt={false} />
    </section>
  );
}

function TokenRow({ token, organizationId, mayChange }: { token: ApiToken; organizationId: string; mayChange: boolean }) {
  const [asking, setAsking] = useState(false);
  const client = useQueryClient();
  const gone = useMutation({
    mutationFn: () => deleteToken(organizationId, token.id),
    onSuccess: () => client.invalidateQueries({ queryKey: ["organization", organizationId, "tokens"] }),
  });
  return (
    <li className="flex items-center gap-3 border-b border-line px-4 py-2 last:border-0">
      <Icon name="key" className="text-muted" />
      <span className="min-w-0 flex-1 truncate font-medium">{token.name}</span>
      {token.role_name && <Badge>{token.role_name}</Badge>}
      <span className="text-xs text-muted">
        <Ago at={token.created_at} />
      </span>
      {mayChange && <IconButton icon="trash" label={`Revoke ${token.name}`} onClick={() => setAsking(true)} />}
      <Dialog open={asking} onClose={() => setAsking(false)} title={`Revoke ${token.name}?`} description="What uses it is refused within two seconds.">
        {gone.error && <ProblemNote error={gone.error} />}
        <DialogActions>
          <Button onClick={() => setAsking(false)}>Keep it</Button>
          <Button look="danger" busy={gone.isPending} onClick={() => gone.mutate()}>
            Revoke
          </Button>
        </DialogActions>
      </Dialog>
    </li>
  );
}

function NewToken({ organizationId, onClose, onMade }: { organizationId: string; onClose: () => void; onMade: (token: ApiToken) => void }) {
  const roles = useQuery(rolesQuery(organizationId));
  const [name, setName] = useState("");
  const [role, setRole] = useState("");
  const client = useQueryClient();
  const chosen = role || roles.data?.find((each) => /devops/i.test(each.name))?.id || roles.data?.[0]?.id || "";
  const create = useMutation({
    mutationFn: () => createToken(organizationId, name.trim(), chosen),
    onSuccess: async (token) => {
      await client.invalidateQueries({ queryKey: ["organization", organizationId, "tokens"] });
      onMade(token);
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Dialog open onClose={onClose} title="New API token">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Name" hint="What or who will use it.">
          {(attributes) => <Input {...attributes} required maxLength={128} autoFocus placeholder="my laptop" value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Role" hint="It may do what this role may.">
          {(attributes) => (
            <Select {...attributes} value={chosen} onChange={(event) => setRole(event.target.value)}>
              {roles.data?.map((each) => (
                <option key={each.id} value={each.id}>
                  {each.name}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {(create.error ?? roles.error) && <ProblemNote error={create.error ?? roles.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending} disabled={!chosen}>
            Create token
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
