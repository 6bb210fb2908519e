/** Says when the page no longer hears from the platform. Short losses pass silently. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { reconnectNow } from "@/live/connection";
import { useConnection } from "@/live/hooks";
import { clockTime } from "@/pure/format";
import { Button } from "@/ui/button";
import { Icon } from "@/ui/icons";

const PATIENCE_MS = 2_500;

export function StaleBanner() {
  const { state, since } = useConnection();
  const client = useQueryClient();
  const [shown, setShown] = useState(false);
  const wasShown = useRef(false);

  useEffect(() => {
    if (state === "connected" || state === "idle") {
      setShown(false);
      if (wasShown.current) void client.invalidateQueries(); // once: what changed meanwhile
      wasShown.current = false;
      return;
    }
    const timer = setTimeout(() => {
      wasShown.current = true;
      setShown(true);
    }, PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [state, client]);

  if (!shown) return null;
  return (
    <div role="status" className="border-b border-warn/30 bg-warn-soft text-warn">
      <div className="mx-auto flex max-w-[1320px] flex-wrap items-center gap-x-2 gap-y-1 px-4 py-1.5 text-sm">
        <Icon name="offline" />
        <span>
          <span className="font-medium">Not live since {clockTime(since).slice(0, 8)}.</span> What you see may be old; connecting again by itself. Running services are not affected.
        </span>
        <Button small className="ml-auto" onClick={reconnectNow}>
          Connect now
        </Button>
      </div>
    </div>
  );
}
