import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";

import { Problem } from "@/api/problem";
import { login, loginMethodsQuery } from "@/api/session";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/form";
import { Logo } from "@/ui/icons";
import { ProblemNote } from "@/ui/notes";

export function LoginPage() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { to, problem } = useSearch({ from: "/login" });
  const methods = useQuery(loginMethodsQuery).data;
  const client = useQueryClient();
  const navigate = useNavigate();
  const enter = useMutation({
    mutationFn: () => login(email.trim(), password),
    onSuccess: async () => {
      client.clear();
      await navigate({ href: safePath(to), replace: true });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    enter.mutate();
  };
  return (
    <main className="flex flex-1 flex-col items-center justify-center gap-6 px-4 py-12">
      <div className="flex flex-col items-center gap-3 text-center">
        <Logo size={44} />
        <div>
          <h1 className="text-xl font-semibold">Log in to Slipway</h1>
          <p className="text-sm text-muted">From a push to a running service.</p>
        </div>
      </div>
      {problem && (
        <p role="alert" className="max-w-sm text-sm text-bad">
          {PROBLEMS[problem] ?? "The login did not work: begin again."}
        </p>
      )}
      {methods?.oidc && (
        <a href={`/api/login/oidc?${new URLSearchParams({ to: safePath(to) })}`} className="panel w-full max-w-sm p-3 text-center text-sm font-medium hover:underline">
          Continue with {methods.oidc.name}
        </a>
      )}
      <form hidden={methods?.password === false} onSubmit={submit} className="panel flex w-full max-w-sm flex-col gap-4 p-5">
        <Field label="E-mail">
          {(attributes) => (
            <Input {...attributes} type="email" name="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />
          )}
        </Field>
        <Field label="Password">
          {(attributes) => (
            <Input {...attributes} type="password" name="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
          )}
        </Field>
        {enter.error && <LoginProblem error={enter.error} />}
        <Button type="submit" look="primary" busy={enter.isPending} className="h-9">
          Log in
        </Button>
      </form>
      <p className="max-w-sm text-center text-xs text-muted">
        On your own machine, <code className="font-mono">./slipway up</code> printed the e-mail and the password when it started; <code className="font-mono">./slipway status --login</code> shows them again.
      </p>
    </main>
  );
}

/** What can go wrong at an identity provider, by code: the address bar names nothing but the code. */
const PROBLEMS: Record<string, string> = {
  "auth.email_unverified": "The identity provider has not verified your e-mail address: verify it there, then try again.",
  "auth.not_invited": "Nobody invited you yet: ask an administrator of the organization.",
  "auth.identity_taken": "The account with your address belongs to somebody else at the identity provider: ask an administrator.",
  "auth.oidc_unavailable": "The identity provider does not answer: try again in a moment.",
};

function LoginProblem({ error }: { error: Error }) {
  if (error instanceof Problem && error.isUnauthenticated) {
    return (
      <p role="alert" className="text-sm text-bad">
        E-mail or password is wrong.
      </p>
    );
  }
  return <ProblemNote error={error} />;
}

/** Only paths of this origin: `//elsewhere` and `/\elsewhere` are addresses of other hosts. */
export function safePath(to: string | undefined): string {
  return to && /^\/(?![/\\])/.test(to) && !to.startsWith("/login") ? to : "/";
}
