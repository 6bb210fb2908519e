import "@/styles.css";

import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Problem } from "@/api/problem";
import { disconnect, onRefused } from "@/live/connection";
import { makeRouter } from "@/router";
import { TipProvider } from "@/ui/tip";

const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError: whenRefused }),
  defaultOptions: {
    queries: {
      retry: (failures, error) => error instanceof Problem && error.isPassing && failures < 3,
      retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 5_000),
    },
  },
});
const router = makeRouter(queryClient);

/** The session is over: to the login, and back to where the person was afterwards. */
function whenRefused(error: Error): void {
  if (!(error instanceof Problem && error.isUnauthenticated)) return;
  if (/^\/(login|invitation\/.*)$/.test(router.state.location.pathname)) return;
  disconnect();
  void router.navigate({ to: "/login", search: { to: router.state.location.href }, replace: true });
}

onRefused(() => void queryClient.invalidateQueries({ queryKey: ["account"] }));

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <TipProvider>
        <RouterProvider router={router} />
      </TipProvider>
    </QueryClientProvider>
  </StrictMode>,
);
