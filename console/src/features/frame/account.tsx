import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { accountQuery, logout } from "@/api/session";
import { type Theme, setTheme, useTheme } from "@/features/frame/theme";
import { disconnect } from "@/live/connection";
import { IconButton } from "@/ui/button";
import type { IconName } from "@/ui/icons";
import { Menu, MenuItem, MenuLabel, MenuLine } from "@/ui/menu";
import { sayProblem } from "@/ui/toasts";

const THEMES: [Theme, string, IconName][] = [
  ["system", "As the system", "screen"],
  ["light", "Light", "sun"],
  ["dark", "Dark", "moon"],
];

export function AccountMenu() {
  const { data: account } = useQuery(accountQuery);
  const theme = useTheme();
  const leave = useLogout();
  const name = account?.communication_email || account?.nickname || "Signed in";
  return (
    <Menu trigger={<IconButton icon="user" label="Account and theme" />}>
      <MenuLabel>
        <span className="normal-case tracking-normal">{name}</span>
      </MenuLabel>
      <MenuLine />
      {THEMES.map(([value, label, icon]) => (
        <MenuItem key={value} icon={icon} checked={theme === value} onSelect={() => setTheme(value)}>
          {label}
        </MenuItem>
      ))}
      <MenuLine />
      <MenuItem icon="exit" onSelect={() => void leave()}>
        Log out
      </MenuItem>
    </Menu>
  );
}

export function useLogout(): () => Promise<void> {
  const client = useQueryClient();
  const navigate = useNavigate();
  return async () => {
    try {
      await logout();
    } catch (error) {
      sayProblem(error);
      return;
    }
    disconnect();
    client.clear();
    await navigate({ to: "/login" });
  };
}
