/** Pages that could not be shown. */

import { Link, useRouter } from "@tanstack/react-router";

import { buttonClass } from "@/ui/button";
import { Empty, ProblemNote } from "@/ui/notes";

export function Broken({ error, reset }: { error: unknown; reset?: () => void }) {
  const router = useRouter();
  const again = (): void => {
    reset?.();
    void router.invalidate();
  };
  return (
    <div className="mx-auto mt-16 w-full max-w-xl px-4">
      <ProblemNote error={error} retry={again} />
    </div>
  );
}

export function NotFound() {
  return (
    <div className="mx-auto mt-16 w-full max-w-xl px-4">
      <Empty
        icon="search"
        title="There is no such page"
        action={
          <Link to="/" className={buttonClass("primary")}>
            To your projects
          </Link>
        }
      >
        The address is wrong, or what stood here was deleted, or you have no right to see it.
      </Empty>
    </div>
  );
}
