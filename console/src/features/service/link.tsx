/** The way to the deployed service itself. */

import { useQuery } from "@tanstack/react-query";

import { linksQuery } from "@/api/environments";
import type { Link, Service } from "@/api/types";
import { Icon } from "@/ui/icons";
import { buttonClass } from "@/ui/button";
import { Tip } from "@/ui/tip";

export function useLinks(service: Service | undefined): Link[] {
  const isPublic = service?.ports?.some((port) => port.publicly_accessible) ?? false;
  const links = useQuery({ ...linksQuery(service?.environment.id ?? ""), enabled: isPublic }).data ?? [];
  return links.filter(({ service_id, url }) => service_id === service?.id && isWeb(url));
}

/** Addresses come from data: only http and https become links. */
export const isWeb = (url: string): boolean => /^https?:\/\//i.test(url);

export const hostOf = (url: string): string => url.replace(/^https?:\/\//i, "").replace(/\/$/, "");

export function ServiceLinkButton({ service }: { service: Service }) {
  const link = useLinks(service)[0];
  if (!link) return null;
  return (
    <Tip text={`Open ${hostOf(link.url)}`}>
      <a
        href={link.url}
        target="_blank"
        rel="noreferrer"
        aria-label={`Open ${service.name} at ${hostOf(link.url)}`}
        className="flex size-7 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text max-sm:size-9"
      >
        <Icon name="link" size={15} />
      </a>
    </Tip>
  );
}

export function OpenService({ service }: { service: Service }) {
  const link = useLinks(service)[0];
  if (!link) return null;
  return (
    <a href={link.url} target="_blank" rel="noreferrer" className={buttonClass("secondary")}>
      <Icon name="link" size={15} /> Open
      <span className="sr-only"> {hostOf(link.url)} in a new tab</span>
    </a>
  );
}
