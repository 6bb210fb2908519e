/** The icons: 16 × 16, drawn with the text's colour. They are decoration; what they mean stands beside them in words. */

import type { ReactNode, SVGProps } from "react";

const DRAWINGS = {
  play: <path d="M5 3.5v9l7.500-4.500z" />,
  stop: <rect x="4" y="4" width="8" height="8" rx="1" />,
  restart: <path d="M13 8a5 5 0 1 1-1.600-3.700M13 2.500v3h-3" />,
  rocket: <path d="M6.500 9.500 3.500 9l2-3h2.500M6.500 9.500 7 12.500l3-2V8M6.500 9.500 10 8M6.500 9.500l1.500-3.500c1-2 3-3.500 5.500-3.500 0 2.500-1.500 4.500-3.500 5.500M3.500 11.500l-1 2 2-1" />,
  trash: <path d="M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500l.500 8.500h6l.500-8.500M7 7v3.500M9 7v3.500" />,
  plus: <path d="M8 3.500v9M3.500 8h9" />,
  check: <path d="m3.500 8.500 3 3 6-7" />,
  cross: <path d="m4 4 8 8M12 4l-8 8" />,
  copy: <path d="M6 6V3.500h6.500V10H10M3.500 6H10v6.500H3.500z" />,
  down: <path d="m4 6.500 4 4 4-4" />,
  right: <path d="m6.500 4 4 4-4 4" />,
  left: <path d="m9.500 4-4 4 4 4" />,
  upDown: <path d="m5 6.500 3-3 3 3M5 9.500l3 3 3-3" />,
  search: <path d="M7 11.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9ZM10.500 10.500l3 3" />,
  link: <path d="M9.500 3H13v3.500M13 3 7.500 8.500M11 9v4H3V5h4" />,
  terminal: <path d="m3 4.500 3.500 3.500L3 11.500M8 12h5" />,
  branch: <path d="M5 10.500v-5M5 5.500a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3ZM5 13.500a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3ZM11 6.500a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3ZM11 6.500c0 2.500-3 2-5 3" />,
  commit: <path d="M8 10.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM1.500 8h4M10.500 8h4" />,
  clock: <path d="M8 13.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11ZM8 5v3l2 1.500" />,
  key: <path d="M6 11.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8.500 7.500 13 3M11 5l2 2" />,
  lock: <path d="M4 7.500h8v5.500H4zM5.500 7.500V5.500a2.500 2.500 0 0 1 5 0v2" />,
  edit: <path d="m3 13 .500-2.500 7-7 2 2-7 7zM9 5l2 2" />,
  more: <path d="M3.500 8h.010M8 8h.010M12.500 8h.010" strokeWidth="2.200" />,
  sun: <path d="M8 10.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM8 1.500V3M8 13v1.500M1.500 8H3M13 8h1.500M3.500 3.500l1 1M11.500 11.500l1 1M12.500 3.500l-1 1M4.500 11.500l-1 1" />,
  moon: <path d="M13 9.500A5.500 5.500 0 1 1 6.500 3a4.500 4.500 0 0 0 6.500 6.500Z" />,
  screen: <path d="M2.500 3.500h11v7.500h-11zM6 13.500h4" />,
  user: <path d="M8 8a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM3 13.500c.500-2.500 2.500-3.500 5-3.500s4.500 1 5 3.500" />,
  exit: <path d="M6.500 3H3v10h3.500M10 5l3 3-3 3M13 8H6.500" />,
  pause: <path d="M5.500 3.500v9M10.500 3.500v9" />,
  wrap: <path d="M2.500 4h11M2.500 8h9a2 2 0 0 1 0 4H8M9.500 10.500 8 12l1.500 1.500M2.500 12H5" />,
  download: <path d="M8 2.500v7.500M5 7.500l3 3 3-3M3 13h10" />,
  expand: <path d="M9.500 2.500h4v4M6.500 13.500h-4v-4M13.500 2.500 9.500 6.500M2.500 13.500l4-4" />,
  warning: <path d="M8 2.500 14 13H2zM8 6.500v3M8 11.300h.010" />,
  info: <path d="M8 13.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11ZM8 7.500v3M8 5.300h.010" />,
  folder: <path d="M2.500 4.500V12.500h11v-7h-5.500l-1.500-1.500h-4z" />,
  layers: <path d="m8 2.500 5.500 3L8 8.500l-5.500-3zM2.500 8.500 8 11.500l5.500-3M2.500 11 8 14l5.500-3" />,
  box: <path d="m8 2 5.500 3v6L8 14l-5.500-3V5zM2.500 5 8 8l5.500-3M8 8v6" />,
  gear: <path d="M2.500 4.500h6M12 4.500h1.500M2.500 11.500H4M7.500 11.500h6M10.250 6.250a1.750 1.750 0 1 0 0-3.500 1.750 1.750 0 0 0 0 3.500ZM5.750 13.250a1.750 1.750 0 1 0 0-3.500 1.750 1.750 0 0 0 0 3.500Z" />,
  chart: <path d="M2.500 2.500v11h11M5 10l2.500-3 2 2L13 5" />,
  list: <path d="M5.500 4H13M5.500 8H13M5.500 12H13M2.800 4h.010M2.800 8h.010M2.800 12h.010" />,
  eye: <path d="M1.500 8S4 3.500 8 3.500 14.500 8 14.500 8 12 12.500 8 12.500 1.500 8 1.500 8ZM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z" />,
  offline: <path d="M2 2l12 12M4.500 9.500a5 5 0 0 1 2-1.200M11.500 9.500 11 9.100M2.300 7.100a8 8 0 0 1 2.700-1.700M13.700 7.100A8 8 0 0 0 7 4.600M8 12.500h.010" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof DRAWINGS;

export function Icon({ name, size = 16, ...rest }: { name: IconName; size?: number } & SVGProps<SVGSVGElement>) {
  return (
    <svg
      viewBox="0 0 16 16"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden
      focusable="false"
      {...rest}
      className={`shrink-0 ${rest.className ?? ""}`}
    >
      {DRAWINGS[name]}
    </svg>
  );
}

export function Logo({ size = 22 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden className="shrink-0">
      <rect width="32" height="32" rx="7" fill="#1b5e8c" />
      <path d="M6 19.500 26 13v3.200c0 4.300-3.400 6.800-8 6.800h-6.500C8.400 23 6 21.700 6 19.500Z" fill="#fff" />
      <path d="M5 26.500 27 21.500" stroke="#8fd0f5" strokeWidth="2" strokeLinecap="round" />
      <path d="M15.500 7v6.200" stroke="#fff" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
